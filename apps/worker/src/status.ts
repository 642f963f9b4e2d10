/** Where the worker is between its start and its end. It is ready while `polling` alone. */
type WorkerPhase =
  | 'starting'
  | 'waiting_for_kms'
  | 'waiting_for_temporal'
  | 'polling'
  | 'restarting'
  | 'stopping';

/** What the health endpoints tell; the start and the supervisor keep it up to date. */
export interface WorkerStatus {
  phase: WorkerPhase;
  /** How often the worker was started again after it had died, in this process. */
  restarts: number;
  /** Why the last thing that was tried failed; absent once it has worked. A code or a class of error, never a message. */
  trouble?: string | undefined;
}

export const initialStatus = (): WorkerStatus => ({ phase: 'starting', restarts: 0 });
