import { decompressLz4, measureLz4Frame } from '../compression/lz4.ts';
import { declaredSnappySize, decompressSnappy } from '../compression/snappy.ts';
import { decompressZstd } from '../compression/zstd.ts';
import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import { metadataText } from './format.ts';
import type { Payload } from './payload.ts';
import type { Call } from './scope.ts';

/*
 * temporalio/temporal-proxy compresses the data of a payload before it encrypts. `encoding` does not change; this metadata
 * entry names the algorithm. Sources: its rfc/compression.md (commit 2aae5b5) for the entry, its pkg/compress (commit
 * 7b10d79, branch compression_algos) for names and bytes. That code wrote test/fixtures/proxy-compressed.json.
 */
const MARKER = 'compression/algorithm';

type Decompress = (data: Uint8Array, call: Call) => MaybePromise<Uint8Array>;

const zstd: Decompress = (data, { maxDecompressedBytes, budget }) =>
  decompressZstd(data, maxDecompressedBytes, budget);

/** The proxy names the framed format, but writes one block. */
const snappy: Decompress = (data, { maxDecompressedBytes, budget }) => {
  const size = declaredSnappySize(data, maxDecompressedBytes);
  return andThen(budget.reserve(size), () => decompressSnappy(data, size));
};

const lz4: Decompress = (data, { maxDecompressedBytes, budget }) => {
  const size = measureLz4Frame(data, maxDecompressedBytes);
  return andThen(budget.reserve(size), () => decompressLz4(data, size));
};

/** The names that the proxy writes, and those of its settings. */
const algorithms: ReadonlyMap<string, Decompress> = new Map([
  ['application/zstd', zstd],
  ['application/x-snappy-framed', snappy],
  ['application/x-lz4', lz4],
  ['zstd', zstd],
  ['snappy', snappy],
  ['lz4', lz4],
]);

/** Whether a payload is marked as compressed, with any algorithm. */
export const isCompressed = (payload: Payload): boolean => payload.metadata?.[MARKER] !== undefined;

/** Whether a payload is marked as compressed with an algorithm that this codec knows. */
export const isDecompressible = (payload: Payload): boolean =>
  isCompressed(payload) && algorithms.has(metadataText(payload, MARKER));

/**
 * Returns a marked payload with decompressed data and without its marker, as the proxy does.
 * @throws KmsCodecError `layer_unreadable` when the algorithm is unknown; `malformed`; `too_large`
 */
export function decompressMarked(payload: Payload, call: Call): MaybePromise<Payload> {
  const decompress = algorithms.get(metadataText(payload, MARKER));
  if (decompress === undefined) throw unknownCompression();
  const { [MARKER]: _, ...metadata } = payload.metadata ?? {};
  return andThen(decompress(payload.data ?? new Uint8Array(), call), (data) => ({
    ...payload,
    metadata,
    data,
  }));
}

export const unknownCompression = (): KmsCodecError =>
  new KmsCodecError(
    'layer_unreadable',
    'The payload is compressed with an algorithm that this codec does not know; it knows zstd, snappy and lz4',
  );
