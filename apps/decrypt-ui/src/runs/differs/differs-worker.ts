import { type FieldMap, whatDiffers } from '@temporal-kms/histories/why';

// The page sends both sets once, and terminates the worker after the answer.
addEventListener('message', ({ data }: MessageEvent<readonly [readonly FieldMap[], readonly FieldMap[]]>) => {
  postMessage(whatDiffers(...data));
});
