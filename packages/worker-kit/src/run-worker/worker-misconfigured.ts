/**
 * Thrown if the worker can never start with this configuration, so that a retry does not help. `cause`
 * contains the reason. The cause occurred before the worker handled a task, so its message contains no
 * payload content.
 */
export class WorkerMisconfigured extends Error {
  override readonly name = 'WorkerMisconfigured';

  constructor(cause: unknown) {
    super('The configuration of the worker is wrong', { cause });
  }
}
