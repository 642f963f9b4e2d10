import { escapeInvisible } from '@temporal-kms/codec-api';
import type { RunAddress } from '../../session/server/addresses.ts';
import type { RevealChoice } from './reveal-request.ts';
import { useRevealed, useReveals } from './reveals-context.tsx';
import {
  accessTo,
  type Grant,
  needsJustification,
  NO_PAYLOAD,
  type PayloadsTarget,
  type RevealsState,
} from './reveals.ts';

/**
 * Returns the two wider choices that every reveal in a run offers: the whole run, and all runs of its
 * namespace.
 */
export function widerChoices(run: RunAddress): [RevealChoice, RevealChoice] {
  const namespace = escapeInvisible(run.namespace);
  const what = run.schedule ? 'schedule' : 'run';
  return [
    { target: { kind: 'run', run }, text: `This ${what}`, name: `this ${what}` },
    {
      target: { kind: 'namespace', namespace: run.namespace },
      text: `All runs of ${namespace}`,
      name: `all runs of ${namespace}`,
    },
  ];
}

/** Returns the choice that reveals the payloads of a range of events. */
export function eventsChoice([first, last]: readonly [number, number], target: PayloadsTarget): RevealChoice {
  const name = first === last ? `event ${first}` : `events ${first}–${last}`;
  return { target, text: name.charAt(0).toUpperCase() + name.slice(1), name };
}

/** Returns the person's access to the whole run. */
export const useRunAccess = (run: RunAddress) =>
  useRevealed((state) => accessTo(state, { run, ref: NO_PAYLOAD }).status);

/** Returns the reveal that permits the page to show the whole run, if there is one. */
export const useRunGrant = (run: RunAddress): Grant | undefined =>
  useRevealed((state) => runGrant(state, run));

/** Returns a function that reads the reveal of the whole run again after a slow action, because the reveal may have ended. */
export function useReadRunGrant(run: RunAddress): () => Grant | undefined {
  const { store } = useReveals();
  return () => runGrant(store.getState(), run);
}

function runGrant(state: RevealsState, run: RunAddress): Grant | undefined {
  const access = accessTo(state, { run, ref: NO_PAYLOAD });
  return access.status === 'open' ? access.grant : undefined;
}

/**
 * Returns whether the person can reveal payloads of the run now: the run is locked, or its current reveal has a
 * time limit.
 */
export function useCanReveal(run: RunAddress): boolean {
  const onDemand = useRevealed((state) => needsJustification(state, run.namespace));
  const status = useRunAccess(run);
  return status === 'locked' || (onDemand && status === 'open');
}
