/**
 * Counts the fields of a serialized protobuf message without decoding it, fields inside of fields not included.
 * @returns the fields up to the first byte that is no protobuf, which the decoder refuses
 */
export function countFields(bytes: Uint8Array): number {
  let at = 0;
  let fields = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at] ?? 0;
      at += 1;
      value += (byte % 128) * factor;
      if (byte < 128 || at >= bytes.length) return value;
    }
  };
  while (at < bytes.length) {
    fields += 1;
    const tag = varint();
    // There is no field 0.
    if (tag < 8) break;
    const wireType = tag % 8;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      at += length;
    } else break;
  }
  return fields;
}
