/**
 * The worker cannot start, and another attempt with the same configuration cannot either. The cause states why; it occurred
 * before the worker handled a task, so that its message contains no payload content.
 */
export class WorkerMisconfigured extends Error {
  override readonly name = 'WorkerMisconfigured';

  constructor(cause: unknown) {
    super('The configuration of the worker is wrong', { cause });
  }
}
