const CRYPTO_KEY = /^projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+$/;
const MAX_NAME_LENGTH = 512;

/**
 * Returns whether text from a payload has the form of a crypto key's resource name. A payload's author can
 * choose any text, and errors, reports and the audit must repeat only text of this form.
 */
export const isCryptoKeyName = (text: string): boolean =>
  text.length <= MAX_NAME_LENGTH && CRYPTO_KEY.test(text);
