import type { ActivityRun } from '../fleet-worker.ts';
import { type FaultKind, faultGroups } from './plan.ts';

/** An interval, in ms of `machineTime`, in which a fault can make Temporal repeat activities. */
export interface Disruption {
  readonly from: number;
  /** The end of the interval; infinity until the disruption has ended. */
  to: number;
  /** The affected processes; `all` if Temporal is affected. */
  readonly pids: readonly number[] | 'all';
}

/** A fault that has ended, with its times in ms of `machineTime`. */
export interface FaultTime {
  readonly kind: FaultKind;
  readonly from: number;
  readonly to: number;
}

const isRefusal = (kind: FaultKind): boolean => faultGroups[kind] === 'rights' && kind !== 'rotated';
/**
 * Whether a fault of this kind keeps Cloud KMS from confirming keys, or makes an earlier confirmation look
 * old.
 */
const isPause = (kind: FaultKind): boolean =>
  ['network', 'answers'].includes(faultGroups[kind]) || kind === 'clock jump';

/**
 * Returns the intervals in which Cloud KMS refused a key that it had not confirmed shortly before. A key
 * without a recent confirmation has no grace period (ADR 12), so activities in progress cannot encrypt their
 * results, and run again.
 * @param confirmedMs how long a confirmation stays valid, in ms
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

/**
 * The longest delay, in ms, of a task that arrived while its process was frozen or when Temporal ended.
 */
const ARRIVED_MS = 5_000;

export interface Repeats {
  /** Number of repeated executions of activities. */
  readonly all: number;
  /** The repeated executions that no disruption explains. */
  readonly unexplained: readonly string[];
}

/**
 * Counts executions of activities that had already run. A disruption explains a repeated execution if it
 * happens between this execution and the previous execution, and affects the process of either execution.
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
