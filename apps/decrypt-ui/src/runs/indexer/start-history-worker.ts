let worker: Worker | undefined;

/**
 * Returns the worker that parses and groups histories. The first call starts the worker, so that the worker
 * can load before a page needs it.
 */
export function historyWorker(): Worker {
  worker ??= new Worker(new URL('./history-worker.ts', import.meta.url), { type: 'module', name: 'history' });
  return worker;
}
