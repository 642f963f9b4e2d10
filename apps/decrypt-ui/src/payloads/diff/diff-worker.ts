import { type Comparable, linesOf } from './comparable.ts';
import { type LineDiff, lineDiff } from './line-diff.ts';

/**
 * The two sides of a comparison. The page terminates the worker after the answer, which frees the worker's
 * copy of the plaintext.
 */
export interface DiffRequest {
  readonly left: Comparable;
  readonly right: Comparable;
}

/** The lines of both sides, and how they differ. */
export interface Diff extends LineDiff {
  readonly left: readonly string[];
  readonly right: readonly string[];
}

addEventListener('message', ({ data }: MessageEvent<DiffRequest>) => {
  const [left, right] = [linesOf(data.left), linesOf(data.right)];
  postMessage({ left, right, ...lineDiff(left, right) } satisfies Diff);
});
