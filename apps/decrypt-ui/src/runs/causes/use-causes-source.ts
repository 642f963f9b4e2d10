import { useMemo } from 'react';
import { usePlaintext, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import type { Reveals } from '../../payloads/reveal/reveals.ts';
import { useServices } from '../../session/services.tsx';
import type { CausesSource } from './request-causes.ts';

/** Returns what requests of causes need. */
export function useCausesSource(): CausesSource & { readonly reveals: Reveals } {
  const { api } = useServices();
  const reveals = useReveals();
  const plaintext = usePlaintext();
  return useMemo(() => ({ api, reveals, plaintext }), [api, reveals, plaintext]);
}
