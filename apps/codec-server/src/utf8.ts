const strict = new TextDecoder('utf-8', { fatal: true });

/** @returns undefined for bytes that are no UTF-8 */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
