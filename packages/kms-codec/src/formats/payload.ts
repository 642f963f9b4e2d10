import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;
export type { Payload };

/** A buffer that has grown above this size is not kept for the next payload. */
const MAX_KEPT_BYTES = 256 * 1024;
/** From this size on, data is not copied but given to the cipher as a separate piece. Below, one piece is faster. */
const SEPARATE_DATA_BYTES = 32 * 1024;
/** Field 2, length-delimited: `data`. */
const DATA_TAG = 0x12;

// The type's own writer uses the copy of protobufjs that @temporalio/proto uses. Next to google-gax npm hoists another
// copy, with which Temporal's helpers fail.
const newWriter = () => PayloadMessage.encode({});
let writer = newWriter();

/**
 * Serializes a whole payload, metadata and data, in one piece or two. The buffer is reused for the next payload: `use` is
 * synchronous and must not keep it. It is wiped afterwards, because it holds plaintext. Reusing the writer halves the
 * time to encode 16 KiB.
 */
export function withSerialized<T>(payload: Payload, use: (pieces: readonly Uint8Array[]) => T): T {
  let isReusable = false;
  try {
    const { data } = payload;
    const separate =
      data && data.length >= SEPARATE_DATA_BYTES && !payload.externalPayloads?.length ? data : undefined;
    const written = separate
      ? PayloadMessage.encode({ metadata: payload.metadata ?? null }, writer.reset())
          .uint32(DATA_TAG)
          .uint32(separate.length)
      : PayloadMessage.encode(payload, writer.reset());
    const piece = written.finish(true);
    try {
      return use(separate ? [piece, separate] : [piece]);
    } finally {
      piece.fill(0);
      isReusable = piece.length <= MAX_KEPT_BYTES;
    }
  } finally {
    // A writer that threw keeps its open messages; a large one keeps its memory.
    if (!isReusable) writer = newWriter();
  }
}

/** Serializes a payload into a buffer that the caller may keep across an `await`, and wipes. */
export const serialize = (payload: Payload): Uint8Array => PayloadMessage.encode(payload).finish();

/** Whether a payload has neither data nor an encoding other than `binary/null`. */
export function isEmpty({ metadata, data }: Payload): boolean {
  if (data && data.length > 0) return false;
  const encoding = metadata?.['encoding'];
  return !encoding?.length || NULL_ENCODING.equals(encoding);
}

const NULL_ENCODING = Buffer.from('binary/null');
