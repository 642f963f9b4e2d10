import type { Random } from '@temporal-kms/testing/random';

/*
 * Generates serialized payloads that an insider could write: valid payloads, and payloads that protobuf
 * parsers interpret differently.
 */

const knownNames = ['encoding', 'messageType', 'compression/algorithm', 'compression-algorithm'];
const oddNames = ['__proto__', 'constructor', '7', '', '\ufeff', 'ü🧾', '\0'];
const names = ['encoding', 'encoding', ...knownNames, ...oddNames];
const notUtf8 = [
  [0xff],
  [0xc1, 0xa1],
  [0xed, 0xa0, 0xbd],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x65, 0x80],
];
const encodings = ['json/plain', 'json/protobuf', 'binary/null', 'binary/encrypted', 'binary/compressed'];
const values = ['json/plain', ...encodings, 'binary/envelope-kms-v2', 'zstd', ''];
const unknownNumbers = [0, 1, 2, 3, 4, 15, 16, 2 ** 29 - 1, 2 ** 29, 2 ** 32 + 1];

/** Writes a varint, sometimes longer than necessary. */
function varint(value: number, random: Random): Buffer {
  const groups: number[] = [];
  for (let rest = value; rest > 0 || groups.length === 0; rest = Math.floor(rest / 128))
    groups.push(rest % 128);
  if (random.oneIn(80)) groups.push(...Array.from({ length: random.pick([1, 4, 5, 9]) }, () => 0));
  return Buffer.from(groups.map((group, index) => (index < groups.length - 1 ? group + 128 : group)));
}

function field(number: number, content: Uint8Array, random: Random): Buffer {
  const wireType = random.oneIn(100) ? random.below(8) : 2;
  const wrong = [content.length + 1, 0, 2 ** 32 + content.length, 2 ** 35];
  const length = random.oneIn(100) ? random.pick(wrong) : content.length;
  return Buffer.concat([varint(number * 8 + wireType, random), varint(length, random), content]);
}

function unknownField(random: Random): Buffer {
  const number = random.pick(unknownNumbers);
  if (random.oneIn(2)) return field(number, random.bytes(random.below(4)), random);
  const wireType = random.pick([0, 1, 3, 4, 5, 6, 7]);
  return Buffer.concat([varint(number * 8 + wireType, random), random.bytes(random.pick([0, 1, 4, 8]))]);
}

/** Returns the parts, some of them repeated, omitted or moved, and sometimes with an unknown field. */
function disturbed(parts: readonly Buffer[], random: Random): Buffer {
  const changed = [...parts];
  if (random.oneIn(25)) changed.push(random.pick([...parts, Buffer.alloc(0)]));
  if (random.oneIn(25)) changed.splice(random.below(changed.length), 1);
  if (random.oneIn(25)) changed.splice(random.below(changed.length + 1), 0, unknownField(random));
  if (random.oneIn(10)) changed.reverse();
  return Buffer.concat(changed);
}

function entry(random: Random): Buffer {
  const name = random.oneIn(40) ? Buffer.from(random.pick(notUtf8)) : Buffer.from(random.pick(names));
  const value = random.oneIn(6) ? random.bytes(random.below(200)) : Buffer.from(random.pick(values));
  return field(1, disturbed([field(1, name, random), field(2, value, random)], random), random);
}

function externalPayload(random: Random): Buffer {
  if (random.oneIn(4)) return field(3, Buffer.alloc(0), random);
  const size = random.oneIn(3)
    ? Buffer.concat([
        Buffer.alloc(random.pick([8, 9, 9, 10]), 0xff),
        Buffer.of(random.pick([0, 1, 1, 2, 127])),
      ])
    : varint(random.pick([0, 1, 127, 128, 70_000, 2 ** 53]), random);
  return field(3, disturbed([Buffer.concat([Buffer.of(0x08), size])], random), random);
}

/** Returns a serialized payload with up to three metadata entries, data and external payloads. */
export function anyPlaintext(random: Random): Buffer {
  const entries = Array.from({ length: random.pick([0, 1, 1, 1, 2, 3]) }, () => entry(random));
  const data = field(2, random.bytes(random.pick([0, 1, 12, 12, 127, 128, 300])), random);
  const external = random.oneIn(5)
    ? Array.from({ length: 1 + random.below(2) }, () => externalPayload(random))
    : [];
  return disturbed([...entries, ...(random.oneIn(8) ? [] : [data]), ...external], random);
}
