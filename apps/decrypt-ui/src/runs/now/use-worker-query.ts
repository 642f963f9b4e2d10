import { useEffect, useMemo } from 'react';
import { useStore } from 'zustand';
import { createPayloadsApi } from '../../payloads/api.ts';
import { usePayloads } from '../../payloads/payloads-context.tsx';
import { useRunAccess, widerChoices } from '../../payloads/reveal/reveal-choices.ts';
import { askToReveal } from '../../payloads/reveal/reveal-request.ts';
import { usePlaintext, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { useServices } from '../../session/services.tsx';
import { useRun } from '../run/run-context.tsx';
import { queryWorker } from './api.ts';
import { createWorkerQuery, type WorkerQueryState } from './worker-query.ts';

export interface WorkerQuery {
  readonly state: WorkerQueryState;
  readonly ask: (type: string, texts?: readonly string[]) => void;
  /** Drops the answer. */
  readonly clear: () => void;
}

/** Returns a query of the current run. Drops the query's answer on unmount. */
export function useWorkerQuery(): WorkerQuery {
  const { api } = useServices();
  const { address: run } = useRun();
  const ofRun = usePayloads();
  const reveals = useReveals();
  const plaintext = usePlaintext();
  const query = useMemo(
    () =>
      createWorkerQuery({
        run,
        query: (body, signal) => queryWorker(api, run, body, signal),
        ofRun,
        decode: (refs, signal, justification) =>
          createPayloadsApi(api).decode(run, refs, signal, justification),
        reveals,
        plaintext,
      }),
    [api, run, ofRun, reveals, plaintext],
  );
  useEffect(() => query.start(), [query]);
  const state = useStore(query.store);
  return { state, ask: (type, texts) => void query.ask(type, texts), clear: query.clear };
}

/**
 * Returns a function that runs an action once the run is revealed. First asks for a justification if the
 * namespace requires one.
 */
export function useWhenRevealed(): (act: () => void) => void {
  const { address } = useRun();
  const reveals = useReveals();
  const status = useRunAccess(address);
  return (act) =>
    status === 'open' ? act() : askToReveal(reveals, { choices: widerChoices(address), onRevealed: act });
}
