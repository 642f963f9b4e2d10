import { escapeInvisible, type PayloadRef } from '@temporal-kms/codec-api';
import type { RunAddress } from '../../api/client.ts';
import { useRun } from '../../run/run-context.tsx';
import { failureChain } from '../../model/failure.ts';
import type { RecordedEvent } from '../../model/history.ts';
import type { PendingWork } from '../../model/pending.ts';
import { accessTo, type Grant, needsJustification, type RevealsState } from '../../payloads/reveals.ts';
import { useRevealed, useReveals } from '../../payloads/reveals-context.tsx';
import { askToReveal, type RevealChoice } from './ask.ts';

/** The choices that every reveal in a run offers. */
export function widerChoices(run: RunAddress): [RevealChoice, RevealChoice] {
  const namespace = escapeInvisible(run.namespace);
  return [
    { target: { kind: 'run', run }, text: 'This run', name: 'this run' },
    {
      target: { kind: 'namespace', namespace: run.namespace },
      text: `All runs of ${namespace}`,
      name: `all runs of ${namespace}`,
    },
  ];
}

/** No history contains this payload, so only a reveal of the whole run covers it. */
const NO_PAYLOAD = '0:0';

/** Returns whether the page may show the whole run. */
export const useRunAccess = (run: RunAddress) =>
  useRevealed((state) => accessTo(state, { run, ref: NO_PAYLOAD }).status);

/** The reveal under which the page may show the whole run, if there is one. */
export const useRunGrant = (run: RunAddress): Grant | undefined =>
  useRevealed((state) => runGrant(state, run));

/** Returns a function that reads it for an action that has taken time: the reveal may have ended. */
export function useReadRunGrant(run: RunAddress): () => Grant | undefined {
  const { store } = useReveals();
  return () => runGrant(store.getState(), run);
}

function runGrant(state: RevealsState, run: RunAddress): Grant | undefined {
  const access = accessTo(state, { run, ref: NO_PAYLOAD });
  return access.status === 'open' ? access.grant : undefined;
}

/** Returns whether the person can reveal payloads of the run: it is locked, or a reveal of it ends at some time. */
export function useCanReveal(run: RunAddress): boolean {
  const onDemand = useRevealed((state) => needsJustification(state, run.namespace));
  const status = useRunAccess(run);
  return status === 'locked' || (onDemand && status === 'open');
}

/** Returns functions that reveal one payload, or the payloads of some events, of the run on the page. */
export function useRevealInRun() {
  const reveals = useReveals();
  const { address, follow } = useRun();

  const eventsChoice = (events: readonly RecordedEvent[], pending?: PendingWork): RevealChoice => {
    const name = eventsName(events);
    return {
      target: { kind: 'payloads', run: address, refs: refsOf(events, pending) },
      text: name.charAt(0).toUpperCase() + name.slice(1),
      name,
    };
  };

  return {
    /** Reveals payloads that the page shows under one title: `Input`. */
    payloads: (refs: readonly PayloadRef[], title: string) => {
      const event = follow.history.events[Number(refs[0]?.split(':', 1)[0]) - 1];
      const whole = event && event.payloads.length > refs.length ? [eventsChoice([event])] : [];
      const name = event ? `${title} of event ${event.eventId}` : title;
      askToReveal(reveals, {
        choices: [
          { target: { kind: 'payloads', run: address, refs }, text: title, name },
          ...whole,
          ...widerChoices(address),
        ],
      });
    },
    /** Reveals the payloads of some events, and of the pending work that belongs to them. */
    events: (events: readonly RecordedEvent[], pending?: PendingWork) =>
      askToReveal(reveals, { choices: [eventsChoice(events, pending), ...widerChoices(address)] }),
  };
}

/** The payloads of some events, and those of the last failure of the pending work that belongs to them. */
export const refsOf = (events: readonly RecordedEvent[], pending: PendingWork | undefined): PayloadRef[] => [
  ...events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref)),
  ...failureChain(pending?.lastFailure).flatMap(({ encoded, payloads }) => [
    ...(encoded === undefined ? [] : [encoded]),
    ...payloads,
  ]),
];

function eventsName(events: readonly RecordedEvent[]): string {
  const [first, last] = [events[0]?.eventId ?? 0, events.at(-1)?.eventId ?? 0];
  return first === last ? `event ${first}` : `events ${first}–${last}`;
}
