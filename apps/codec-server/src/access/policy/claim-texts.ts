import type { JWTPayload } from 'jose';

/** The texts that a rule can match in a claim: the claim itself, or the elements of its list. */
export type TextsOf = (claim: string) => readonly string[];

/**
 * Returns a reader for the texts in a checked token's claims. A claim that is neither text nor a list of texts has
 * none. E-mail addresses are texts only while no claim of the token marks them as unverified: many providers let a user
 * sign up with another person's address.
 */
export function claimTexts(claims: JWTPayload): TextsOf {
  const emailsCount = !marksEmailUnverified(claims);
  return (claim) => {
    if (!Object.hasOwn(claims, claim)) return [];
    const texts = valuesOf(claim, claims[claim]).filter((value) => typeof value === 'string');
    return emailsCount ? texts : texts.filter((text) => !isEmail(claim, text));
  };
}

function valuesOf(claim: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  // RFC 8693 section 4.2, and Entra's name for it: one text with spaces between.
  if (typeof value === 'string' && (claim === 'scope' || claim === 'scp')) return value.split(' ');
  return [value];
}

/** An address can be in any claim: `upn`, `preferred_username`, `sub`, or a name that is a URL. */
const isEmail = (claim: string, text: string): boolean =>
  text.includes('@') || lettersOf(claim).includes('mail');

/**
 * Whether any claim, at any depth (the proxy's `gcip`, a profile under a URL name), is about an address's verification
 * and is not `true`. Only JSON's `true` counts (OpenID Connect Core 1.0, section 5.1): providers that write text or
 * numbers disagree about what those mean.
 */
function marksEmailUnverified(claims: JWTPayload): boolean {
  const pending: object[] = [claims];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    for (const [name, inner] of Object.entries(value)) {
      if (inner !== true && isVerification(name)) return true;
      if (typeof inner === 'object' && inner !== null) pending.push(inner);
    }
  }
  return false;
}

/** `email_verified` as providers spell it, under a URL name too, and Entra's "e-mail domain owner verified". */
function isVerification(name: string): boolean {
  const letters = lettersOf(name);
  return (letters.includes('mail') && letters.includes('verif')) || letters === 'xmsedov';
}

/** Lower-case letters of a claim's name, without the host where it is a URL. */
const lettersOf = (name: string): string =>
  name
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '');
