/**
 * Marks, at the type level, what bytes contain. The brand of `Plaintext` and `KeyBytes` is required, because
 * only this process can know that bytes are a secret. The brand of `Ciphertext` and `WrappedKeyBytes` is
 * optional, because other bytes, such as a message's data, come from Temporal, and anyone can write them.
 * Bytes whose brand is known are never accepted as bytes with another brand.
 */
export declare const brand: unique symbol;

/** A serialized payload, before encryption or after authenticated decryption. Parsers accept only this type. */
export type Plaintext = Uint8Array & { readonly [brand]: 'plaintext' };

/** Bytes that are not known to be encrypted: a plaintext, the bytes of a key, or bytes from another package. */
export type Unencrypted = Uint8Array & { readonly [brand]?: 'plaintext' | 'key' };

/**
 * Call this function only with bytes that this process has serialized, or that AES-GCM or Cloud KMS has
 * decrypted.
 */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A brand has no value.
export const asPlaintext = (bytes: Uint8Array): Plaintext => bytes as Plaintext;
