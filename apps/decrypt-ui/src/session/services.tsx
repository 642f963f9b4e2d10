import type { QueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext } from 'react';
import { useStore } from 'zustand';
import type { RuntimeConfig } from './config.ts';
import type { ApiClient } from './server/client.ts';
import type { Session, SessionState } from './sign-in/session.ts';

/** What the application creates once, when it starts. */
export interface Services {
  readonly api: ApiClient;
  readonly config: RuntimeConfig;
  /** Metadata from the server. It contains no plaintext and no token. */
  readonly queries: QueryClient;
  readonly session: Session;
}

const Context = createContext<Services | undefined>(undefined);

export function ServicesProvider({ services, children }: { services: Services; children: ReactNode }) {
  return <Context value={services}>{children}</Context>;
}

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error('useServices() was called outside of <ServicesProvider>.');
  return services;
}

export const useSessionState = (): SessionState => useStore(useServices().session.store);
