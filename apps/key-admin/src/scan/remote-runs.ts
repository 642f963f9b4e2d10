import type { ScanPart } from './scan-part.ts';

/** What a scan has found before it looks at runs, as JSON. A scan on Temporal keeps it until the scan has ended. */
export interface BeforeRuns {
  /** When the scan started, in milliseconds since 1970. */
  readonly started: number;
  readonly part: ScanPart;
  /** The ids of the schedules that were listed. */
  readonly schedules: readonly string[];
  /** Schedules that keep a result of an earlier run, and the run that contains it. Null: no run is known. */
  readonly keptResults: readonly (readonly [schedule: string, run: ScheduledRun | null])[];
  /** Data of kinds that a scan does not read. */
  readonly notWalked: readonly (readonly [message: string, count: number])[];
}

/** The run that a schedule has started last. */
export interface ScheduledRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** What other processes have found in the runs of a namespace. */
export interface RunsFound {
  readonly part: ScanPart;
  /** Every run that had appeared in Temporal's lists at this time was listed. Milliseconds since 1970. */
  readonly listedUntil: number;
}

/** Other processes, which read the runs of a namespace. */
export interface RemoteRuns {
  /**
   * Returns what the scan in progress has found before it looked at runs. Undefined: none is in progress. @throws
   * CliError
   */
  resume(): Promise<BeforeRuns | undefined>;
  /** Starts the processes' work, unless it is in progress, and waits until it ends. @throws CliError */
  run(before: BeforeRuns): Promise<RunsFound>;
  /** Ends the scan: the next scan starts over. */
  end(): Promise<void>;
}
