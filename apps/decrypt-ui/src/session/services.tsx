import type { QueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useStore } from 'zustand';
import { requiredContext } from '../ui/required-context.ts';
import type { RuntimeConfig } from './config.ts';
import type { ApiClient } from './server/client.ts';
import type { Session, SessionState } from './sign-in/session.ts';

/** Objects that the application creates once, at startup. */
export interface Services {
  readonly api: ApiClient;
  readonly config: RuntimeConfig;
  /** Metadata from the server, without plaintext or tokens. */
  readonly queries: QueryClient;
  readonly session: Session;
}

const [Context, useServices] = requiredContext<Services>('ServicesProvider');
export { useServices };

export function ServicesProvider({ services, children }: { services: Services; children: ReactNode }) {
  return <Context value={services}>{children}</Context>;
}

export const useSessionState = (): SessionState => useStore(useServices().session.store);
