/**
 * Encodings of a field's value by wire type (https://protobuf.dev/programming-guides/encoding/), without the
 * deprecated groups.
 */
const wireTypes = ['varint', 'fixed64', 'delimited', undefined, undefined, 'fixed32'] as const;

/** A field of a message. */
export interface ProtobufField {
  readonly number: number;
  readonly wire: 'varint' | 'fixed64' | 'delimited' | 'fixed32';
  /** A varint as a number, which is exact up to 2^53, or any other value as bytes. */
  readonly value: number | Uint8Array;
  /** The encoded value, which includes the length if the value is delimited. */
  readonly encoded: Uint8Array;
}

export class MalformedProtobuf extends Error {}

const sizeOf = (wire: ProtobufField['wire']) => (wire === 'fixed64' ? 8 : wire === 'fixed32' ? 4 : undefined);

/**
 * Reads the fields of a protobuf message, without its schema.
 *
 * @throws MalformedProtobuf if the bytes are not a complete message
 * @example
 * for (const { number, value } of protobufFields(Uint8Array.of(0x08, 0x2a))) console.log(number, value); // 1 42
 */
export function* protobufFields(bytes: Uint8Array): Generator<ProtobufField, void> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined) throw new MalformedProtobuf();
      at += 1;
      // Multiplies instead of shifting, because bitwise operations are limited to 32 bits. Ids and lengths
      // are below 2^53.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedProtobuf();
  };
  const skip = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new MalformedProtobuf();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = wireTypes[tag % 8];
    if (wire === undefined || number === 0) throw new MalformedProtobuf();
    const start = at;
    const value = wire === 'varint' ? varint() : skip(sizeOf(wire) ?? varint());
    yield { number, wire, value, encoded: bytes.subarray(start, at) };
  }
}
