import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KmsCodecError } from '../errors.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
export type { Payload };

/** A buffer that grew above this isn't kept for the next payload. */
const KEEP_BYTES = 256 * 1024;

// Asking the type for its writer, instead of importing protobufjs, keeps to the one copy that @temporalio/proto uses:
// beside google-gax npm hoists another, on which Temporal's own helpers break.
const newWriter = () => PayloadMessage.encode({});
let writer = newWriter();

/**
 * Serializes a whole payload, metadata and data, into a buffer that the next call reuses: `use` is synchronous and may
 * not keep it. It is wiped afterwards, or plaintext would stay behind in it. One reused writer halves the cost of a
 * 16 KiB encode (docs/performance.md).
 */
export function withSerialized<T>(payload: Payload, use: (plaintext: Uint8Array) => T): T {
  let reusable = false;
  try {
    const plaintext = PayloadMessage.encode(payload, writer.reset()).finish(true);
    try {
      return use(plaintext);
    } finally {
      plaintext.fill(0);
      reusable = plaintext.length <= KEEP_BYTES;
    }
  } finally {
    // A writer that threw half way keeps its open messages; a large one its memory.
    if (!reusable) writer = newWriter();
  }
}

/** A copy that the caller may keep across an `await`, and wipes. */
export const serialize = (payload: Payload): Uint8Array => PayloadMessage.encode(payload).finish();

export const notAPayload = (cause?: unknown): KmsCodecError =>
  new KmsCodecError('malformed', "The message opened, but it doesn't hold a Temporal payload", { cause });

/**
 * The payload's fields are views into `bytes`.
 * @throws `malformed`
 */
export function deserialize(bytes: Uint8Array): Payload {
  try {
    const { metadata, data, externalPayloads } = PayloadMessage.decode(bytes);
    return externalPayloads.length > 0 ? { metadata, data, externalPayloads } : { metadata, data };
  } catch (cause) {
    throw notAPayload(cause);
  }
}
