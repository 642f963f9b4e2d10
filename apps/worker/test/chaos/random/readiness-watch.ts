import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../fleet.ts';
import type { FleetWorker } from '../fleet-worker.ts';
import { type Failures, machineTime, type Readiness } from '../settings.ts';

/** A process's state at one time. */
export interface ReadinessSample {
  /** The time of the sample, in ms. */
  readonly at: number;
  readonly isReady: boolean;
  /** Number of encode and decode calls that have failed so far. */
  readonly failures: number;
}

/** Failures that are further apart than this time, in ms, count as separate. */
const GAP_MS = 10_000;

/** Detects whether a process reports ready while its tasks fail. */
export class ReadinessWatch {
  /** How many times the process was ready for longer than the limit while calls failed. */
  violations = 0;
  /** The longest time in ms for which calls failed while the process stayed ready. */
  longestMs = 0;
  /** Number of calls that failed in the process. */
  failures = 0;
  readonly #limitMs: number;
  #streak: { readonly from: number; last: number; isCounted: boolean } | undefined;

  /** @param limitMs how long a process may need to notice that Cloud KMS refuses a key */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  note({ at, isReady, failures }: ReadinessSample): void {
    const hasFailed = failures > this.failures;
    this.failures = failures;
    if (!isReady) this.#streak = undefined;
    if (!isReady || !hasFailed) return;
    if (!this.#streak || at - this.#streak.last > GAP_MS)
      this.#streak = { from: at, last: at, isCounted: false };
    this.#streak.last = at;
    const ms = at - this.#streak.from;
    this.longestMs = Math.max(this.longestMs, ms);
    if (ms <= this.#limitMs || this.#streak.isCounted) return;
    this.#streak.isCounted = true;
    this.violations += 1;
  }
}

const EVERY_MS = 1_000;
/** Reason codes of tasks that need Cloud KMS and fail during an outage. */
const outages = new Set(['kms_unavailable', 'kms_quota', 'checksum_mismatch']);

/**
 * Whether a process reports that it works, although its tasks fail. During an outage of Cloud KMS, a process
 * may report `degraded`, because some tasks need no response from Cloud KMS.
 */
export function reportsReady(answer: Readiness | undefined, { code = '' }: Partial<Failures> = {}): boolean {
  if (answer?.http !== 200) return false;
  return answer.status === 'ready' || !outages.has(code);
}

/** Watches all processes of a fleet, including processes that start later, until the watch is stopped. */
export function watchReadiness(fleet: Fleet, limitMs: number) {
  const watches = new Map<FleetWorker, ReadinessWatch>();
  const violations: string[] = [];
  const stopping = new AbortController();
  const sample = async (worker: FleetWorker): Promise<void> => {
    const watch = watches.get(worker) ?? new ReadinessWatch(limitMs);
    watches.set(worker, watch);
    const known = watch.violations;
    // A killed process does not answer.
    const failed = await worker.failures().catch(() => undefined);
    const answer = await worker.readyz().catch(() => undefined);
    const at = machineTime();
    watch.note({ at, isReady: reportsReady(answer, failed), failures: failed?.count ?? watch.failures });
    if (watch.violations > known)
      violations.push(`${worker.name} (${worker.pid}) was ready while its tasks failed with ${failed?.code}`);
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await Promise.all(fleet.workers.filter((worker) => worker.isRunning()).map(sample));
      await sleep(EVERY_MS);
    }
  })();
  return {
    /** @returns the observations */
    stop: async () => {
      stopping.abort();
      await running;
      const all = [...watches.values()];
      return {
        violations,
        longestMs: Math.max(...all.map(({ longestMs }) => longestMs)),
        failures: all.reduce((sum, { failures }) => sum + failures, 0),
      };
    },
  };
}
