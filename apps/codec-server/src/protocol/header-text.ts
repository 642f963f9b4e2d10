import { utf8Text } from '../utf8.ts';

/**
 * A header's text. HTTP hands bytes over one a character; the CLI writes UTF-8, and a browser can send Latin-1 only.
 */
export const headerText = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : (utf8Text(Buffer.from(value, 'latin1')) ?? value);
