import { useQuery } from '@tanstack/react-query';
import { millisOf } from '@temporal-kms/histories/events';
import { allLocked, explain, type Explanation, isSlow, type WhyRun } from '@temporal-kms/histories/why';
import { useMemo } from 'react';
import { useRunsApi } from '../api.ts';
import { emptyHistory } from '../events/history.ts';
import { isOpen } from '../outcome.ts';
import { taskQueuesQuery } from '../queries.ts';
import { useRun, useRunNow } from '../run/run-context.tsx';
import { useRunTimes } from '../run/use-run-times.ts';
import { durationOf, useUsual } from '../run/use-usual.ts';
import { useEndEvent } from './use-end-event.ts';
import { type Readings, useReadings } from './use-readings.ts';

/** Milliseconds between explanations of an open run without new events, because some rules depend on the time. */
const EVERY = 5000;
/** Maximum number of payloads that an open card decrypts, equal to that of `temporal-kms explain`. */
const MAX_REFS = 200;

/** What a card shows about a run. */
export interface Explained extends Readings {
  readonly explanation: Explanation;
  /** The run that was explained. */
  readonly run: Omit<WhyRun, 'read'>;
  /** The current time in milliseconds since 1970, for durations that are still growing. */
  readonly now: number;
  /**
   * Whether the whole history is known. Until then, the explanation covers only the description and a closed
   * run’s first and last events.
   */
  readonly loaded: boolean;
}

/**
 * Explains the current run twice: first without plaintext, to find the payloads that the explanation needs,
 * and then with the plaintext of the open payloads.
 *
 * @param whole whether the card shows all findings or only the first
 */
export function useExplanation(whole: boolean): Explained {
  const { run, loaded, now } = useWhyRun();
  const outline = useMemo(() => explain({ ...run, read: allLocked }), [run]);
  const [first] = outline.findings;
  const needed = whole
    ? outline.refs.slice(0, MAX_REFS)
    : [...(first?.cause?.refs ?? []), ...(first?.refs ?? [])];
  const readings = useReadings(needed);
  const explanation = useMemo(() => explain({ ...run, read: readings.read }), [run, readings]);
  return { explanation, run, now, loaded, ...readings };
}

/** Returns the current run in the form that the rules read. */
function useWhyRun(): Pick<Explained, 'run' | 'loaded' | 'now'> {
  const api = useRunsApi();
  const { address, description, follow, open } = useRun();
  const { details, workflow } = description;
  const { history } = follow;
  const clock = useRunNow();
  const polled = open && !address.file && workflow.status === 'Running';
  const queues = useQuery({ ...taskQueuesQuery(api, address), enabled: polled }).data?.taskQueues;
  // While events are missing, steps that have ended look open.
  const loaded = isLoaded(follow.phase) || history.events.length >= workflow.historyLength;
  const [start] = history.events;
  const end = useEndEvent(!loaded && start !== undefined && !isOpen(workflow.status));
  const ends = useMemo(
    () => (start && end ? { events: [start, end], groups: [] } : emptyHistory),
    [start, end],
  );
  const { events, groups } = loaded ? history : ends;
  const last = history.events.at(-1)?.at;
  const now = address.file ? (last ?? clock) : clock;
  const explainedAt = now - (now % EVERY);
  const { status } = workflow;
  const usual = useUsual();
  const took = durationOf(workflow) ?? explainedAt - (millisOf(workflow.startTime) ?? explainedAt);
  const path = useRunTimes(loaded && usual !== undefined && isSlow(took, usual))?.path;
  const run = useMemo(
    () => ({ events, groups, status, details, queues, usual: usual && { ...usual, path }, now: explainedAt }),
    [events, groups, status, details, queues, usual, path, explainedAt],
  );
  return { run, loaded, now };
}

const isLoaded = (phase: string): boolean => phase === 'live' || phase === 'complete';
