import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { useState } from 'react';
import { SessionGate } from './features/session/session-gate.tsx';
import { createAppRouter } from './router.tsx';
import { createReveals } from './payloads/reveals.ts';
import { RevealsProvider } from './payloads/reveals-context.tsx';
import { createRunSessionsPlace, RunSessionsProvider } from './run/run-sessions-context.tsx';
import { RunsSearchProvider } from './run/runs-search-context.tsx';
import { createRunsSearch } from './run/runs-search.ts';
import { useMe } from './session/me.tsx';
import { type Services, ServicesProvider, useServices } from './state/services.tsx';

interface AppProps {
  readonly services: Services;
  /** The history of addresses; the browser's by default. */
  readonly history?: RouterHistory;
}

/** The whole application. */
export function App({ services, history }: AppProps) {
  return (
    <ServicesProvider services={services}>
      <QueryClientProvider client={services.queries}>
        <SessionGate>
          <Pages {...(history && { history })} />
        </SessionGate>
      </QueryClientProvider>
    </ServicesProvider>
  );
}

/** The pages of one person, with the runs that they have opened. */
function Pages({ history }: Pick<AppProps, 'history'>) {
  const { api, plaintext, queries } = useServices();
  const access = useMe();
  const [reveals] = useState(() => createReveals({ access, plaintext }));
  const [runs] = useState(() => createRunSessionsPlace({ api, plaintext, queries, reveals }));
  const [router] = useState(() => createAppRouter({ runs }, history));
  const [runsSearch] = useState(() => createRunsSearch(api, reveals));
  return (
    <RevealsProvider reveals={reveals} plaintext={plaintext}>
      <RunSessionsProvider place={runs}>
        <RunsSearchProvider search={runsSearch}>
          <RouterProvider router={router} />
        </RunsSearchProvider>
      </RunSessionsProvider>
    </RevealsProvider>
  );
}
