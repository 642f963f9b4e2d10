import type { FieldMap, WhatDiffers } from '@temporal-kms/histories/why';
import { ApiFailure } from '../../session/server/failure.ts';
import { errorOf } from '../../ui/errors.ts';

/**
 * Compares two sets of runs in a worker, because comparing many fields with many values takes longer than a
 * frame.
 *
 * @throws ApiFailure if the browser cannot load or run the worker
 */
export function differencesOf(
  first: readonly FieldMap[],
  second: readonly FieldMap[],
  signal: AbortSignal,
): Promise<WhatDiffers> {
  const worker = new Worker(new URL('./differs-worker.ts', import.meta.url), {
    type: 'module',
    name: 'differs',
  });
  return new Promise<WhatDiffers>((resolve, reject) => {
    const text = 'The browser could not load or run this part of the page. Try again, or reload the page.';
    worker.addEventListener('message', ({ data }: MessageEvent<WhatDiffers>) => resolve(data));
    worker.addEventListener('error', () => reject(new ApiFailure('unexpected', text)));
    signal.addEventListener('abort', () => reject(errorOf(signal.reason)));
    worker.postMessage([first, second], []);
  }).finally(() => worker.terminate());
}
