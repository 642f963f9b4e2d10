import type { Payload } from '../../src/formats/payload.ts';
import { attackerKey } from './corpus.ts';
import type { Random } from '@temporal-kms/testing/random';

type Metadata = Record<string, Uint8Array>;
type Change = (data: Buffer, other: Buffer, random: Random) => Buffer;

/** Replaces at most `length` bytes, starting at `at`, with `by`. */
const replaced = (data: Buffer, at: number, length: number, by: Uint8Array) =>
  Buffer.concat([data.subarray(0, at), by, data.subarray(at + length)]);

/**
 * The offsets of a v2 message's fields, with and without a workflow tag: version, flags, key id, key version,
 * namespace tag, workflow tag, salt, commitment, n, wrapped key, nonce and ciphertext.
 */
const boundaries = [0, 1, 2, 10, 14, 30, 46, 62, 64, 78, 80, 184, 196, 200, 212];

const changes: readonly Change[] = [
  function flipBits(data, _, random) {
    const copy = Buffer.from(data);
    for (let times = 1 + random.below(3); times > 0 && copy.length > 0; times -= 1) {
      const at = random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    }
    return copy;
  },
  function setByte(data, _, random) {
    return replaced(
      data,
      random.below(data.length + 1),
      1,
      Buffer.of(random.pick([0, 1, 2, 3, 127, 128, 255])),
    );
  },
  function truncate(data, _, random) {
    return random.oneIn(2)
      ? data.subarray(0, random.below(data.length + 1))
      : data.subarray(0, Math.max(0, data.length - 1 - random.below(30)));
  },
  function cutAtField(data, _, random) {
    return data.subarray(0, random.pick(boundaries));
  },
  function cutFront(data, _, random) {
    return data.subarray(random.below(Math.min(data.length, 60) + 1));
  },
  function extend(data, other, random) {
    return Buffer.concat([data, random.oneIn(2) ? random.bytes(1 + random.below(40)) : other]);
  },
  function splice(data, other, random) {
    const at = random.below(Math.min(data.length, other.length) + 1);
    return Buffer.concat([data.subarray(0, at), other.subarray(at)]);
  },
  function spliceAnywhere(data, other, random) {
    return Buffer.concat([
      data.subarray(0, random.below(data.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
  function takeField(data, other, random) {
    const start = random.below(boundaries.length - 1);
    const from = boundaries[start] ?? 0;
    const to = boundaries[start + 1 + random.below(Math.min(3, boundaries.length - start - 1))] ?? from;
    return replaced(data, from, to - from, other.subarray(from, to));
  },
  function dropWorkflowTag(data) {
    const copy = Buffer.from(data);
    if (copy.length > 1) copy[1] = (copy[1] ?? 0) & ~1;
    return replaced(copy, 30, 16, Buffer.alloc(0));
  },
  function repeatRange(data, _, random) {
    const at = random.below(data.length + 1);
    return replaced(data, at, 0, data.subarray(at, at + random.below(40)));
  },
  function dropRange(data, _, random) {
    return replaced(data, random.below(data.length + 1), 1 + random.below(40), Buffer.alloc(0));
  },
  function randomRange(data, _, random) {
    const length = 1 + random.below(20);
    return replaced(data, random.below(data.length + 1), length, random.bytes(length));
  },
];

const encodings = [
  'binary/envelope-kms-v2',
  'binary/envelope-kms',
  'binary/gcp-kms',
  'binary/encrypted',
  'binary/envelope-kms-v3',
  'json/plain',
  'binary/null',
  '',
];
const names = ['encoding', 'kms-key', 'encrypted-dek', 'encryption-key-id', 'encryption-dek', '__proto__'];

function changeMetadata(own: Metadata, other: Metadata, random: Random): Metadata {
  const copy = { ...own };
  switch (random.below(7)) {
    case 0:
      return { ...other };
    case 1:
      return { ...own, ...other };
    case 2:
      copy['encoding'] = Buffer.from(random.pick(encodings));
      return copy;
    case 3:
      copy['kms-key'] = Buffer.from(attackerKey);
      return copy;
    case 4:
      copy['encryption-key-id'] = Buffer.from(`gcpkms://${attackerKey}`);
      return copy;
    case 5:
      delete copy[random.pick(names)];
      return copy;
    default: {
      const name = random.pick(Object.keys(own).concat(names));
      // `__proto__` must be treated as an ordinary name.
      const known = Object.hasOwn(copy, name) ? copy[name] : undefined;
      const value = Buffer.from(known ?? random.pick(Object.values(other)));
      const at = random.below(value.length + 1);
      return {
        ...copy,
        [name]: random.oneIn(2) ? value.subarray(0, at) : replaced(value, at, 1, random.bytes(1)),
      };
    }
  }
}

/** Returns a message in the direct format whose ciphertext is the given message's wrapped key. */
function disguiseDataKey({ metadata, data }: Payload): Payload {
  const named = metadata?.['encrypted-dek'] ?? data?.subarray(48, 161) ?? Buffer.alloc(0);
  return { metadata: { ...metadata, encoding: Buffer.from('binary/gcp-kms') }, data: named };
}

/** Returns a copy of a message with one to three changes, some of which insert parts of another message. */
export function mutate(own: Payload, other: Payload, random: Random): Payload {
  if (random.oneIn(50)) return disguiseDataKey(own);
  let metadata: Metadata = own.metadata ?? {};
  let data: Buffer = Buffer.from(own.data ?? []);
  const foreign = Buffer.from(other.data ?? []);
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    if (random.oneIn(4)) metadata = changeMetadata(metadata, other.metadata ?? {}, random);
    else data = random.pick(changes)(data, foreign, random);
  }
  return { metadata, data };
}

/** Changes a plaintext or a compressed frame before it is encrypted. */
export const mutateBytes = (bytes: Uint8Array, random: Random): Buffer =>
  random.pick(changes)(Buffer.from(bytes), random.bytes(20), random);
