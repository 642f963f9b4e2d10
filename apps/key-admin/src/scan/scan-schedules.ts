import type { ScanSource } from '../temporal/scan-source.ts';
import { milliseconds } from '../temporal/times.ts';
import type { BeforeRuns, ScheduledRun } from './remote-runs.ts';
import type { ScanResults } from './scan-results.ts';
import { readSchedule } from './schedules.ts';

/** Scans the schedules of a namespace, and finds kept results that no scanned history contains. */
export class ScheduleScan {
  readonly #source: ScanSource;
  /** The ids of the schedules that were listed. */
  readonly #listed = new Set<string>();
  /**
   * Schedules that keep an earlier run's result, each with the run whose history contains the result, if that run is
   * known.
   */
  readonly #keptResults = new Map<string, ScheduledRun | undefined>();
  /** The ids of the schedules that were listed before the runs. */
  #first: ReadonlySet<string> = new Set();

  constructor(source: ScanSource) {
    this.#source = source;
  }

  /** Reads the schedules that no earlier call listed. */
  async read(found: ScanResults): Promise<void> {
    const unseen: string[] = [];
    // Reads the whole list first, because schedules may move between pages while other schedules are
    // described.
    for await (const ids of this.#source.schedules())
      unseen.push(...ids.filter((id) => !this.#listed.has(id)));
    for (const id of new Set(unseen)) {
      this.#listed.add(id);
      const description = await this.#source.describeSchedule(id);
      if (description === undefined) continue;
      const { summary, created, keptResult } = readSchedule(description);
      await found.count('schedules', { workflowId: id, startTime: created }, summary, true);
      if (keptResult.is === 'in_run') this.#keptResults.set(id, keptResult.run);
      if (keptResult.is === 'hidden') this.#keptResults.set(id, undefined);
    }
  }

  /** Records that the scan of the runs is about to begin. */
  runsBegin(): void {
    this.#first = new Set(this.#listed);
  }

  beforeRuns(): Pick<BeforeRuns, 'schedules' | 'keptResults'> {
    return {
      schedules: [...this.#listed],
      keptResults: [...this.#keptResults].map(([id, run]) => [id, run ?? null]),
    };
  }

  restore({ schedules, keptResults }: Pick<BeforeRuns, 'schedules' | 'keptResults'>): void {
    for (const id of schedules) this.#listed.add(id);
    this.runsBegin();
    for (const [id, run] of keptResults) this.#keptResults.set(id, run ?? undefined);
  }

  /**
   * Adds a gap for schedules that keep a result that no scanned history contains.
   * @param listedBefore other processes have read the runs that started before this time (milliseconds since 1970);
   *   undefined if this process has read the runs
   */
  async checkKeptResults(found: ScanResults, listedBefore: number | undefined): Promise<void> {
    const hidden: string[] = [];
    for (const [id, run] of this.#keptResults) {
      if (run === undefined || !(await this.#wasCounted(found, id, run, listedBefore))) hidden.push(id);
    }
    const [workflowId] = hidden;
    if (workflowId === undefined) return;
    found.fail('schedules');
    found.addGap({
      kind: 'not_walked',
      place: 'schedules',
      message:
        "The schedule keeps an earlier run's result, which Temporal does not show. Trigger it once, or recreate it.",
      count: hidden.length,
      example: { workflowId },
    });
  }

  /**
   * Whether the payloads of a run were counted. Other processes do not report which runs they have read.
   * However, they have read every run that still exists and was in the lists, including the runs of schedules
   * that this process described before the other processes began.
   */
  async #wasCounted(
    found: ScanResults,
    schedule: string,
    { workflowId, runId }: ScheduledRun,
    listedBefore: number | undefined,
  ): Promise<boolean> {
    if (found.hasCounted(runId)) return true;
    if (listedBefore === undefined) return false;
    const run = { workflowId, runId, isOpen: true, startTime: undefined, closeTime: undefined };
    const description = await this.#source.describeRun(run);
    const started = milliseconds(description?.workflowExecutionInfo?.startTime);
    if (description === undefined || started === undefined) return false;
    return this.#first.has(schedule) || started < listedBefore;
  }
}
