declare const brand: unique symbol;

/**
 * A serialized payload, before encryption or after authenticated decryption. This type-level brand separates
 * plaintext from bytes that anyone can write to Temporal, such as a message's data. Parsers accept only this
 * type.
 */
export type Plaintext = Uint8Array & { readonly [brand]: 'plaintext' };

/**
 * Call this function only with bytes that this process has serialized, or that AES-GCM or Cloud KMS has
 * decrypted.
 */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A brand has no value.
export const asPlaintext = (bytes: Uint8Array): Plaintext => bytes as Plaintext;
