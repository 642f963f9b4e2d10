import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { lazy, useState } from 'react';
import type { PlaintextCache } from '../payloads/reveal/plaintext-cache.ts';
import { RevealsProvider } from '../payloads/reveal/reveals-context.tsx';
import { createReveals } from '../payloads/reveal/reveals.ts';
import { type ComparisonProps, ComparisonProvider } from '../payloads/view/comparison.tsx';
import { createRunApi } from '../runs/api.ts';
import { createRunSessionsPlace, RunSessionsProvider } from '../runs/run/run-sessions-context.tsx';
import { useMe } from '../session/me.tsx';
import { SessionGate } from '../session/pages/session-gate.tsx';
import { type Services, ServicesProvider, useServices } from '../session/services.tsx';
import { createAppRouter } from './router.tsx';

// Loaded on demand, because few visits compare payloads.
const CompareDialog = lazy(async () => ({
  default: (await import('../runs/compare/compare-dialog.tsx')).CompareDialog,
}));
const renderComparison = (props: ComparisonProps) => <CompareDialog {...props} />;

interface AppProps {
  readonly services: Services;
  readonly plaintext: PlaintextCache;
  /** The navigation history. Default: the browser's. */
  readonly history?: RouterHistory;
}

/** The whole application. */
export function App({ services, ...rest }: AppProps) {
  return (
    <ServicesProvider services={services}>
      <QueryClientProvider client={services.queries}>
        <SessionGate>
          <Pages {...rest} />
        </SessionGate>
      </QueryClientProvider>
    </ServicesProvider>
  );
}

/** The pages for one person, with the runs that this person has opened. */
function Pages({ plaintext, history }: Omit<AppProps, 'services'>) {
  const { api, queries } = useServices();
  const access = useMe();
  const [reveals] = useState(() => createReveals({ access, plaintext }));
  const [runs] = useState(() =>
    createRunSessionsPlace({ api: createRunApi(api), plaintext, queries, reveals }),
  );
  const [router] = useState(() => createAppRouter({ runs }, history));
  return (
    <RevealsProvider reveals={reveals} plaintext={plaintext}>
      <RunSessionsProvider place={runs}>
        <ComparisonProvider render={renderComparison}>
          <RouterProvider router={router} />
        </ComparisonProvider>
      </RunSessionsProvider>
    </RevealsProvider>
  );
}
