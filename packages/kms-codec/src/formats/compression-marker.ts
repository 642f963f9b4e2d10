import { KmsCodecError } from '../errors.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Payload } from '../wire/inner-payload.ts';
import { decompressLz4, measureLz4Frame } from '../wire/lz4-frame.ts';
import { declaredSnappySize, decompressSnappy } from '../wire/snappy-block.ts';
import { decompressZstd } from './compression.ts';
import { metadataText } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * How temporalio/temporal-proxy compresses: a payload's data alone, before it encrypts; `encoding` stays, and this entry
 * of the metadata names the algorithm. The entry is from its rfc/compression.md (commit 2aae5b5), names and bytes from
 * its pkg/compress (commit 7b10d79, branch compression_algos); test/fixtures/proxy-compressed.json is what that made.
 */
const MARKER = 'compression/algorithm';

type Decompress = (data: Uint8Array, scope: Scope) => MaybePromise<Uint8Array>;

const zstd: Decompress = (data, { maxDecompressedBytes, budget }) =>
  decompressZstd(data, maxDecompressedBytes, budget);

/** One block, though the proxy's name for it is that of the framed format. */
const snappy: Decompress = (data, { maxDecompressedBytes, budget }) => {
  const size = declaredSnappySize(data, maxDecompressedBytes);
  return andThen(budget.reserve(size), () => decompressSnappy(data, size));
};

const lz4: Decompress = (data, { maxDecompressedBytes, budget }) => {
  const size = measureLz4Frame(data, maxDecompressedBytes);
  return andThen(budget.reserve(size), () => decompressLz4(data, size));
};

/** The proxy's names, and those of its settings. */
const algorithms: ReadonlyMap<string, Decompress> = new Map([
  ['application/zstd', zstd],
  ['application/x-snappy-framed', snappy],
  ['application/x-lz4', lz4],
  ['zstd', zstd],
  ['snappy', snappy],
  ['lz4', lz4],
]);

/** Whether a payload is marked as compressed, in whatever way. */
export const isCompressed = (payload: Payload): boolean => payload.metadata?.[MARKER] !== undefined;

/** Whether this reader can decompress what the marker names. */
export const isDecompressible = (payload: Payload): boolean =>
  isCompressed(payload) && algorithms.has(metadataText(payload, MARKER));

/**
 * Decompresses the data of a marked payload and takes its marker away, as the proxy does.
 * @throws `layer_unreadable` for an algorithm that is not known; `malformed`; `too_large`
 */
export function decompressMarked(payload: Payload, scope: Scope): MaybePromise<Payload> {
  const decompress = algorithms.get(metadataText(payload, MARKER));
  if (decompress === undefined) throw unknownCompression();
  const { [MARKER]: _, ...metadata } = payload.metadata ?? {};
  return andThen(decompress(payload.data ?? new Uint8Array(), scope), (data) => ({
    ...payload,
    metadata,
    data,
  }));
}

export const unknownCompression = (): KmsCodecError =>
  new KmsCodecError(
    'layer_unreadable',
    'The payload is compressed with an algorithm that this reader does not know: it reads zstd, snappy and lz4',
  );
