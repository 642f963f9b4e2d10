import { parse } from 'lossless-json';

/**
 * Whether no name in the header and the claims of a signed token has two values. Parsers disagree about which of two equal
 * names counts, so an issuer and this server could read different claims (RFC 7519 section 4).
 */
export function isUnambiguous(token: string): boolean {
  try {
    // Throws for a name with two values.
    for (const part of token.split('.', 2)) {
      parse(Buffer.from(part, 'base64url').toString());
    }
    return true;
  } catch {
    // Also for what nests so deep that the parser runs out of stack.
    return false;
  }
}
