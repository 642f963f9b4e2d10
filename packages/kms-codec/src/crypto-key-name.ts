const CRYPTO_KEY = /^projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+$/;
const MAX_NAME_LENGTH = 512;

/**
 * Whether a text from a payload has the form of a crypto key's resource name. Errors, reports and the audit must not
 * repeat any other text chosen by a payload's author.
 */
export const isCryptoKeyName = (text: string): boolean =>
  text.length <= MAX_NAME_LENGTH && CRYPTO_KEY.test(text);
