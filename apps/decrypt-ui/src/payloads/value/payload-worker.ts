import type { JsonPayload } from '@temporal-kms/codec-api';
import { payloadValue } from './payload-value.ts';

// The page ends the worker after its answer, and with it this copy of the plaintext.
addEventListener('message', ({ data }: MessageEvent<JsonPayload>) => {
  postMessage(payloadValue(data));
});
