import type { ProtoEvent } from '@temporal-kms/histories/payloads';
import type { temporal } from '@temporalio/proto';

/** A run as Temporal lists it. */
export interface ListedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly isOpen: boolean;
  /** Milliseconds since 1970. */
  readonly startTime: number | undefined;
  readonly closeTime: number | undefined;
}

/** The data about a namespace that a scan needs before it begins. */
export interface NamespaceDescription {
  /** Temporal's id of the namespace, which no other namespace ever gets. */
  readonly id: string;
  readonly retentionSeconds: number;
  /** The archive for closed runs. `unlisted`: runs are archived, but the server cannot list them. */
  readonly archive: 'none' | 'listed' | 'unlisted';
}

type ScheduleDescription = temporal.api.workflowservice.v1.IDescribeScheduleResponse;
type RunDescription = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

/** A kind of data that a scan does not read, with the amount. */
export interface NotWalked {
  readonly message: string;
  readonly count: number;
}

/**
 * The calls with which a scan reads a namespace. Methods throw a `ScanError` if Temporal refuses a call or
 * does not answer.
 */
export interface ScanSource {
  describe(): Promise<NamespaceDescription>;
  /** Returns pages of the runs that match a visibility query; an empty query matches every run. */
  runs(query: string): AsyncIterable<readonly ListedRun[]>;
  /** Returns pages of archived runs. */
  archivedRuns(): AsyncIterable<readonly ListedRun[]>;
  /** Returns pages of a run's events. Ends without an event if the run no longer exists. */
  history(run: ListedRun): AsyncIterable<readonly ProtoEvent[]>;
  /** Returns a run's pending activities and other pending work, or undefined if the run no longer exists. */
  describeRun(run: ListedRun): Promise<RunDescription | undefined>;
  /** Returns pages of the ids of schedules. */
  schedules(): AsyncIterable<readonly string[]>;
  /** Returns the description of a schedule, or undefined if the schedule no longer exists. */
  describeSchedule(id: string): Promise<ScheduleDescription | undefined>;
  /** Returns the kinds of data in the namespace that a scan does not read. */
  notWalked(): Promise<readonly NotWalked[]>;
}

/** The calls with which a scan by several processes reads a namespace. */
export interface RangeSource extends Pick<ScanSource, 'describeRun' | 'history'> {
  /** Returns how many runs match a visibility query. */
  countRuns(query: string): Promise<number>;
  /**
   * Returns a page of the runs that match a visibility query. The page token is empty for the first page, and
   * after the last page.
   */
  runPage(
    query: string,
    pageToken: Uint8Array,
  ): Promise<{ readonly runs: readonly ListedRun[]; readonly nextPageToken: Uint8Array }>;
}

/** Thrown if data could not be read. The message contains no payload. */
export class ScanError extends Error {
  override readonly name = 'ScanError';
  readonly kind: 'not_permitted' | 'unavailable' | 'unreadable';

  constructor(kind: ScanError['kind'], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
