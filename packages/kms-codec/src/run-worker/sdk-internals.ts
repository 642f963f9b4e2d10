import type { SupervisedWorker } from './temporal-types.ts';
import { settlesWithin } from './waits.ts';

/** What the SDK keeps to itself of a worker that fails. */
export interface FailureDetails {
  /** The error that ended the worker. */
  readonly cause: unknown;
  /** Whether the native part of the worker could not be finalized in time. */
  readonly isStuck: boolean;
  /** Ends the threads of workflow code. */
  endThreads(): Promise<void>;
}

/**
 * Works around three faults of a worker that fails (`@temporalio/worker` 1.24, `Worker.runInternal`), for which the SDK has
 * no public place. Where its internals differ, nothing is changed.
 *
 * - While polls are outstanding or workflows are cached, its clean-up throws an `IllegalStateError`, with which `run()`
 *   rejects instead of the cause. The SDK logs the cause before that.
 * - If no poll is outstanding but a task is, `finalizeShutdown` waits for ever. Here it waits until a time limit.
 * - The threads that run workflow code stay if workflows are cached.
 */
export function watchFailure(worker: SupervisedWorker, limitMs: number): FailureDetails {
  let cause: unknown;
  let isStuck = false;
  replaceMethod(Reflect.get(worker, 'logger'), 'error', (log) => (message: unknown, fields: unknown) => {
    if (message === 'Worker failed') cause = read(fields, 'error');
    return log(message, fields);
  });
  replaceMethod(Reflect.get(worker, 'nativeWorker'), 'finalizeShutdown', (finalize) => async () => {
    const finalizing = Promise.resolve(finalize());
    isStuck = !(await settlesWithin(finalizing, limitMs));
    if (!isStuck) await finalizing;
  });
  return {
    get cause() {
      return cause;
    },
    get isStuck() {
      return isStuck;
    },
    endThreads: async () => {
      const clients = read(Reflect.get(worker, 'workflowCreator'), 'workerThreadClients');
      const threads = Array.isArray(clients) ? clients.map((client) => read(client, 'workerThread')) : [];
      await Promise.all(threads.map((thread) => callMethod(thread, 'terminate')));
    },
  };
}

type Method = (...parameters: unknown[]) => unknown;

function replaceMethod(object: unknown, name: string, make: (original: Method) => Method): void {
  const method = read(object, name);
  if (typeof method !== 'function' || typeof object !== 'object' || object === null) return;
  Reflect.set(
    object,
    name,
    make((...parameters) => Reflect.apply(method, object, parameters)),
  );
}

function callMethod(object: unknown, name: string): unknown {
  const method = read(object, name);
  return typeof method === 'function' ? Reflect.apply(method, object, []) : undefined;
}

const read = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined;
