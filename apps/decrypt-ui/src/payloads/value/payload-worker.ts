import type { JsonPayload } from '@temporal-kms/codec-api';
import { payloadValue } from './payload-value.ts';

// The page terminates the worker after the answer, which frees the worker's copy of the plaintext.
addEventListener('message', ({ data }: MessageEvent<JsonPayload>) => {
  postMessage(payloadValue(data));
});
