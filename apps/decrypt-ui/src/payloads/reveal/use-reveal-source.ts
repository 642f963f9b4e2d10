import { useServices } from '../../session/services.tsx';
import type { ApiClient } from '../../session/server/client.ts';
import { usePlaintext, useReveals } from './reveals-context.tsx';
import type { Reveals } from './reveals.ts';
import type { HiddenWith } from './when-hidden.ts';

/** What a store needs to request plaintext, and to drop it in time. */
export interface RevealSource extends HiddenWith {
  readonly api: ApiClient;
}

export function useRevealSource(): RevealSource & { readonly reveals: Reveals } {
  const { api } = useServices();
  return { api, reveals: useReveals(), plaintext: usePlaintext() };
}
