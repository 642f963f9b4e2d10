import { lineDiff } from '../../model/line-diff.ts';

/** The two texts in lines. The page ends the worker after its answer, and with it this copy of the plaintext. */
export interface DiffRequest {
  readonly left: readonly string[];
  readonly right: readonly string[];
}

addEventListener('message', ({ data }: MessageEvent<DiffRequest>) => {
  postMessage(lineDiff(data.left, data.right));
});
