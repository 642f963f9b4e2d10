import { useEffect, useState } from 'react';
import type { LineDiff } from '../../model/line-diff.ts';
import type { DiffRequest } from './diff-worker.ts';

interface Answer {
  readonly left: readonly string[];
  readonly right: readonly string[];
  /** Undefined: the worker failed. */
  readonly diff: LineDiff | undefined;
}

export type DiffState =
  | { readonly status: 'waiting' }
  | { readonly status: 'failed' }
  | { readonly status: 'ready'; readonly diff: LineDiff };

/**
 * Compares two texts in a worker of their own. The worker ends with its answer, when a text changes, and when the component
 * leaves the page, so that a comparison that is no longer wanted costs nothing and keeps no plaintext.
 */
export function useDiff(
  left: readonly string[] | undefined,
  right: readonly string[] | undefined,
): DiffState {
  const [answer, setAnswer] = useState<Answer>();
  useEffect(() => {
    if (!left || !right) return undefined;
    const worker = new Worker(new URL('./diff-worker.ts', import.meta.url), { type: 'module', name: 'diff' });
    const done = (diff: LineDiff | undefined) => {
      worker.terminate();
      setAnswer({ left, right, diff });
    };
    worker.addEventListener('message', ({ data }: MessageEvent<LineDiff>) => done(data));
    worker.addEventListener('error', () => done(undefined));
    worker.postMessage({ left, right } satisfies DiffRequest, { transfer: [] });
    return () => {
      worker.terminate();
      setAnswer(undefined);
    };
  }, [left, right]);
  if (!answer || answer.left !== left || answer.right !== right) return { status: 'waiting' };
  return answer.diff ? { status: 'ready', diff: answer.diff } : { status: 'failed' };
}
