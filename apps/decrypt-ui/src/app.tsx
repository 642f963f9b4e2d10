import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { useState } from 'react';
import { createQueryClient } from './api/queries.ts';
import { createAppRouter } from './router.tsx';
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
  return (
    <ServicesProvider services={services}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </ServicesProvider>
  );
}
