import { useEffect, useRef, useState } from 'react';
import { errorOf } from './errors.ts';

/**
 * The state of a task. `result` is that of the last run that succeeded. `error` is that of the last run, if
 * it has failed.
 */
export interface Task<T> {
  readonly running: boolean;
  readonly result: T | undefined;
  readonly error: Error | undefined;
  /** Starts the task, after stopping a run in progress. */
  readonly run: () => void;
  readonly stop: () => void;
}

/**
 * Returns a task that the user starts. The task stops on unmount.
 *
 * @param work rejects when its signal is aborted
 * @param onEnd called with the result or the error, unless the task was stopped
 */
export function useTask<T>(
  work: (signal: AbortSignal) => Promise<T>,
  onEnd: (result: T | undefined, error: Error | undefined) => void,
): Task<T> {
  const [state, setState] = useState<Pick<Task<T>, 'running' | 'result' | 'error'>>({
    running: false,
    result: undefined,
    error: undefined,
  });
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  async function perform(signal: AbortSignal) {
    let result: T | undefined;
    let error: Error | undefined;
    try {
      result = await work(signal);
    } catch (caught) {
      error = errorOf(caught);
    }
    if (signal.aborted) return;
    setState((known) => ({ running: false, result: error ? known.result : result, error }));
    onEnd(result, error);
  }

  return {
    ...state,
    run: () => {
      abort.current?.abort();
      const controller = new AbortController();
      abort.current = controller;
      setState((known) => ({ ...known, running: true, error: undefined }));
      void perform(controller.signal);
    },
    stop: () => {
      abort.current?.abort();
      setState((known) => ({ ...known, running: false }));
    },
  };
}
