import type { ScanPart } from './scan-part.ts';

/**
 * What a scan has found before it reads runs, as JSON. A scan on Temporal keeps these findings until it has
 * ended.
 */
export interface BeforeRuns {
  /** When the scan started, in milliseconds since 1970. */
  readonly started: number;
  readonly part: ScanPart;
  /** The ids of the schedules that were listed. */
  readonly schedules: readonly string[];
  /**
   * Schedules that keep an earlier run's result, each with the run whose history contains the result, or null if no run
   * is known to contain it.
   */
  readonly keptResults: readonly (readonly [schedule: string, run: ScheduledRun | null])[];
  /** The kinds of data that a scan does not read, with the amount of each. */
  readonly notWalked: readonly (readonly [message: string, count: number])[];
}

/** The run that a schedule started most recently. */
export interface ScheduledRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** What other processes have found in the runs of a namespace. */
export interface RunsFound {
  readonly part: ScanPart;
  /** The scan has listed every run that Temporal's lists contained at this time (milliseconds since 1970). */
  readonly listedUntil: number;
}

/** Other processes that read the runs of a namespace. */
export interface RemoteRuns {
  /**
   * Returns what the scan in progress found before it read runs, or undefined if no scan is in progress.
   * @throws CliError
   */
  resume(): Promise<BeforeRuns | undefined>;
  /**
   * Starts the processes' work unless it is already in progress, and waits until it ends.
   * @throws CliError
   */
  run(before: BeforeRuns): Promise<RunsFound>;
  /** Ends the scan, so that the next scan starts from the beginning. */
  end(): Promise<void>;
}
