import { createContext, type ReactNode, useContext } from 'react';
import type { ApiClient } from '../api/client.ts';
import type { RuntimeConfig } from '../config.ts';
import type { OpenedCache } from '../payloads/opened-cache.ts';

export interface Services {
  readonly api: ApiClient;
  readonly config: RuntimeConfig;
  readonly opened: OpenedCache;
}

const Context = createContext<Services | undefined>(undefined);

export function ServicesProvider({ services, children }: { services: Services; children: ReactNode }) {
  return <Context value={services}>{children}</Context>;
}

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error('No services around this component.');
  return services;
}
