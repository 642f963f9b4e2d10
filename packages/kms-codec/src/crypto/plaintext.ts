declare const brand: unique symbol;

/**
 * A serialized payload, before it is encrypted or after decryption has authenticated it. The type separates it from
 * what anyone can write to Temporal, such as a message's data: only a plaintext is parsed. It does not exist at run
 * time.
 */
export type Plaintext = Uint8Array & { readonly [brand]: 'plaintext' };

/** Call it only for bytes that this process has serialized, or that AES-GCM or Cloud KMS has decrypted. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A brand has no value.
export const asPlaintext = (bytes: Uint8Array): Plaintext => bytes as Plaintext;
