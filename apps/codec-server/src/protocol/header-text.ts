const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A header's text. HTTP hands bytes over one a character; the CLI writes UTF-8, and a browser can send Latin-1 only.
 */
export function headerText(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  try {
    return utf8.decode(Buffer.from(value, 'latin1'));
  } catch {
    return value;
  }
}
