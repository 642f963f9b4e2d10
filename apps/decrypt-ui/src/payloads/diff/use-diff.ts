import { useEffect, useState } from 'react';
import { type Compared, comparableOf } from './comparable.ts';
import type { Diff, DiffRequest } from './diff-worker.ts';

interface Answer {
  readonly left: Compared;
  readonly right: Compared;
  /** Undefined if the worker failed. */
  readonly diff: Diff | undefined;
}

export type DiffState =
  | { readonly status: 'waiting' }
  | { readonly status: 'failed' }
  | { readonly status: 'ready'; readonly diff: Diff };

/**
 * Compares two payloads, or two lists of lines, in a separate worker. Terminates the worker after its answer, when a
 * side changes, and on unmount, so an abandoned comparison costs nothing and keeps no plaintext.
 */
export function useDiff(left: Compared | undefined, right: Compared | undefined): DiffState {
  const [answer, setAnswer] = useState<Answer>();
  useEffect(() => {
    if (!left || !right) return undefined;
    const worker = new Worker(new URL('./diff-worker.ts', import.meta.url), { type: 'module', name: 'diff' });
    const done = (diff: Diff | undefined) => {
      worker.terminate();
      setAnswer({ left, right, diff });
    };
    worker.addEventListener('message', ({ data }: MessageEvent<Diff>) => done(data));
    worker.addEventListener('error', () => done(undefined));
    const request: DiffRequest = { left: comparableOf(left), right: comparableOf(right) };
    worker.postMessage(request, { transfer: [] });
    return () => {
      worker.terminate();
      setAnswer(undefined);
    };
  }, [left, right]);
  if (!answer || answer.left !== left || answer.right !== right) return { status: 'waiting' };
  return answer.diff ? { status: 'ready', diff: answer.diff } : { status: 'failed' };
}
