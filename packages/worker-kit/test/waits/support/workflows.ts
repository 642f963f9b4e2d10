import { proxyActivities } from '@temporalio/workflow';

/** An activity's time limits, in milliseconds. */
export interface Limits {
  readonly startToCloseTimeout: number;
  readonly heartbeatTimeout?: number;
  readonly maximumAttempts: number;
  /** Time before a retry. Default 20. */
  readonly retryAfter?: number;
}

/** Runs one activity on another worker, with time limits. */
export async function limited(queue: string, limits: Limits, name: string): Promise<string> {
  const { maximumAttempts, retryAfter = 20, ...timeouts } = limits;
  const retry = { maximumAttempts, initialInterval: retryAfter, backoffCoefficient: 1 };
  const remote = proxyActivities<{ note: (name: string) => Promise<string> }>({
    taskQueue: queue,
    ...timeouts,
    retry,
  });
  return await remote.note(name);
}
