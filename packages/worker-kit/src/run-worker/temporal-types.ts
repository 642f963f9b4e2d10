/** The part of Temporal's `Worker` that `runWorker` uses. */
export interface SupervisedWorker {
  readonly options: {
    readonly namespace: string;
    readonly taskQueue: string;
    readonly identity: string;
    readonly shutdownGraceTimeMs: number;
    readonly shutdownForceTimeMs?: number | undefined;
    readonly maxConcurrentActivityTaskExecutions?: number | undefined;
  };
  run(): Promise<void>;
  shutdown(): void;
  getState(): string;
  getStatus(): {
    readonly workflowPollerState: string;
    readonly activityPollerState: string;
    readonly numInFlightNonLocalActivities?: number;
  };
}

/** The part of Temporal's `NativeConnection` that `runWorker` uses. */
export interface WorkerConnection {
  readonly workflowService: {
    describeTaskQueue(request: DescribeTaskQueueRequest): Promise<DescribeTaskQueueResponse>;
  };
  withDeadline<T>(deadline: number | Date, fn: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Temporal's `DescribeTaskQueueRequest`. */
export interface DescribeTaskQueueRequest {
  namespace: string;
  taskQueue: { name: string };
  taskQueueType: number;
  apiMode?: number;
  reportPollers?: boolean;
  taskQueueTypes?: number[];
}

/** Temporal's `DescribeTaskQueueResponse`. */
export interface DescribeTaskQueueResponse {
  readonly pollers?: readonly Poller[] | null;
  readonly versionsInfo?: {
    readonly [version: string]: {
      readonly typesInfo?: {
        readonly [type: string]: { readonly pollers?: readonly Poller[] | null };
      } | null;
    };
  } | null;
}

/** Temporal's `PollerInfo`. */
export interface Poller {
  readonly identity?: string | null;
  /** When the server last received or answered a poll, according to the server's clock. */
  readonly lastAccessTime?: {
    readonly seconds?: number | { toString(): string } | null;
    readonly nanos?: number | null;
  } | null;
}
