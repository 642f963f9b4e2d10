import { createContext, type ReactNode, useContext } from 'react';
import type { ApiClient } from '../api/client.ts';
import type { RuntimeConfig } from '../config.ts';
import type { PlaintextCache } from '../payloads/plaintext-cache.ts';

/** What the application creates once, when it starts. */
export interface Services {
  readonly api: ApiClient;
  readonly config: RuntimeConfig;
  readonly plaintext: PlaintextCache;
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
