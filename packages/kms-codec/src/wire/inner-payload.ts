import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KmsCodecError } from '../errors.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
export type { Payload };

/** A buffer that grew above this isn't kept for the next payload. */
const KEEP_BYTES = 256 * 1024;
/** Data from this size on isn't copied: it goes to the cipher as a piece of its own. Below, one piece is faster. */
const APART_FROM_BYTES = 32 * 1024;
/** Field 2, length-delimited: `data`. */
const DATA_TAG = 0x12;

// Asking the type for its writer, instead of importing protobufjs, keeps to the one copy that @temporalio/proto uses:
// beside google-gax npm hoists another, on which Temporal's own helpers break.
const newWriter = () => PayloadMessage.encode({});
let writer = newWriter();

/**
 * Serializes a whole payload, metadata and data, in one piece or two, into a buffer that the next call reuses: `use`
 * is synchronous and may not keep it. It is wiped afterwards, or plaintext would stay behind in it. One reused writer
 * halves the cost of a 16 KiB encode (docs/performance.md).
 */
export function withSerialized<T>(payload: Payload, use: (pieces: readonly Uint8Array[]) => T): T {
  let reusable = false;
  try {
    const { data } = payload;
    const apart =
      data && data.length >= APART_FROM_BYTES && !payload.externalPayloads?.length ? data : undefined;
    const written = apart
      ? PayloadMessage.encode({ metadata: payload.metadata ?? null }, writer.reset())
          .uint32(DATA_TAG)
          .uint32(apart.length)
      : PayloadMessage.encode(payload, writer.reset());
    const piece = written.finish(true);
    try {
      return use(apart ? [piece, apart] : [piece]);
    } finally {
      piece.fill(0);
      reusable = piece.length <= KEEP_BYTES;
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
