import { KmsCodecError } from '../errors.ts';

/** `nonce ‖ ciphertext ‖ tag`, the tail of every format that seals with AES-256-GCM. */
export const NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;

export interface Box {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/** @returns views into `data` from `at` on. @throws `malformed` when it is too short to hold a nonce and a tag. */
export function parseBox(data: Uint8Array, at = 0): Box {
  if (data.length < at + NONCE_BYTES + GCM_TAG_BYTES) {
    throw new KmsCodecError('malformed', `The message ends early, at byte ${data.length}`);
  }
  const tagAt = data.length - GCM_TAG_BYTES;
  return {
    nonce: data.subarray(at, at + NONCE_BYTES),
    ciphertext: data.subarray(at + NONCE_BYTES, tagAt),
    tag: data.subarray(tagAt),
  };
}
