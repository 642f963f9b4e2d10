import type { ActivityRun } from '../fleet-worker.ts';
import { type FaultKind, faultGroups } from './plan.ts';

/** A time in which a fault of processes or of Temporal may make Temporal start activities again, see `machineTime`. */
export interface Disruption {
  readonly from: number;
  /** Infinity until its end. */
  to: number;
  /** The processes that it concerns; all if it concerns Temporal. */
  readonly pids: readonly number[] | 'all';
}

/** A fault that has ended, in ms of `machineTime`. */
export interface FaultTime {
  readonly kind: FaultKind;
  readonly from: number;
  readonly to: number;
}

const isRefusal = (kind: FaultKind): boolean => faultGroups[kind] === 'rights' && kind !== 'rotated';
/** Whether Cloud KMS confirms no key in a fault, or a confirmation seems old after it. */
const isPause = (kind: FaultKind): boolean =>
  ['network', 'answers'].includes(faultGroups[kind]) || kind === 'clock jump';

/**
 * Returns when Cloud KMS refused a key that it had not confirmed shortly before. Such a key has no grace (ADR 12): activities in
 * progress cannot encrypt their results, and run again.
 * @param confirmedMs how long a confirmation counts
 */
export function refusedUnconfirmed(faults: readonly FaultTime[], confirmedMs: number): Disruption[] {
  const pauses = faults.filter(({ kind }) => isPause(kind));
  return faults
    .filter(({ kind }) => isRefusal(kind))
    .flatMap((refusal) =>
      pauses
        .filter((pause) => pause.from < refusal.to && refusal.from < pause.to + confirmedMs)
        .map((pause) => ({
          from: Math.max(refusal.from, pause.from),
          to: Math.max(refusal.to, pause.to),
          pids: 'all' as const,
        })),
    );
}

/** An execution of an activity in a process. */
export interface ProcessRun extends ActivityRun {
  readonly pid: number;
}

/** What has arrived at a process while it was frozen, or when Temporal ended, begins within this time, in ms. */
const ARRIVED_MS = 5_000;

export interface Repeats {
  /** Executions of activities after their first one. */
  readonly all: number;
  /** Of these, those that no disruption explains. */
  readonly unexplained: readonly string[];
}

/**
 * Counts executions of activities that had run before. A disruption explains one if it concerns the process of this execution
 * or of the one before, and happens between them.
 */
export function findRepeats(runs: readonly ProcessRun[], disruptions: readonly Disruption[]): Repeats {
  const known = new Map<string, ProcessRun>();
  const unexplained: string[] = [];
  let all = 0;
  for (const run of runs.toSorted((a, b) => a.at - b.at)) {
    const before = known.get(run.activity);
    known.set(run.activity, run);
    if (!before) continue;
    all += 1;
    const isExplained = disruptions.some(
      ({ from, to, pids }) =>
        from <= run.at &&
        to + ARRIVED_MS >= before.at &&
        (pids === 'all' || pids.includes(before.pid) || pids.includes(run.pid)),
    );
    if (!isExplained)
      unexplained.push(`${run.activity} in ${before.pid}, after ${run.at - before.at} ms in ${run.pid}`);
  }
  return { all, unexplained };
}
