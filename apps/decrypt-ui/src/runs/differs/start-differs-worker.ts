import type { FieldMap, WhatDiffers } from '@temporal-kms/histories/why';

/** Compares two sets of runs in a worker: many fields with many values take longer than a frame. */
export function differencesOf(first: readonly FieldMap[], second: readonly FieldMap[]): Promise<WhatDiffers> {
  const worker = new Worker(new URL('./differs-worker.ts', import.meta.url), {
    type: 'module',
    name: 'differs',
  });
  return new Promise<WhatDiffers>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<WhatDiffers>) => resolve(data));
    worker.addEventListener('error', () => reject(new Error('The comparison could not be computed.')));
    worker.postMessage([first, second], []);
  }).finally(() => worker.terminate());
}
