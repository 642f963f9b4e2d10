const dataFields = ['ciphertext', 'plaintext', 'data'];
const checksumField = /Crc32c$/;

/** A request whose checksums were lost on the way: Cloud KMS answers it with `verified_*` false. */
export const dropChecksums = (request: object): object =>
  Object.fromEntries(Object.entries(request).filter(([field]) => !checksumField.test(field)));

/** A response with one bit of its data turned, whose checksum is still that of the right data. */
export function corruptResponse(response: object): object {
  return Object.fromEntries(
    Object.entries(response).map(([field, value]: [string, unknown]) => [
      field,
      dataFields.includes(field) && value instanceof Uint8Array ? withBitTurned(value) : value,
    ]),
  );
}

function withBitTurned(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const last = copy.length - 1;
  copy[last] = (copy[last] ?? 0) ^ 1;
  return copy;
}
