import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { useState } from 'react';
import { createQueryClient } from './api/queries.ts';
import { createAppRouter } from './router.tsx';
import { openHistoryPort } from './run/history-client.ts';
import { RunSessionsProvider } from './run/run-context.tsx';
import { createRunSessions } from './run/sessions.ts';
import { type Services, ServicesProvider } from './state/services.tsx';

interface AppProps {
  readonly services: Services;
  /** The history of addresses; the browser's by default. */
  readonly history?: RouterHistory;
}

/** The whole application. */
export function App({ services, history }: AppProps) {
  const [router] = useState(() => createAppRouter(history));
  const [queries] = useState(createQueryClient);
  const { api, plaintext } = services;
  const [sessions] = useState(() =>
    createRunSessions({ api, plaintext, queries, openPort: openHistoryPort }),
  );
  return (
    <ServicesProvider services={services}>
      <QueryClientProvider client={queries}>
        <RunSessionsProvider sessions={sessions}>
          <RouterProvider router={router} />
        </RunSessionsProvider>
      </QueryClientProvider>
    </ServicesProvider>
  );
}
