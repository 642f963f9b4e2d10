/** The Cloud KMS operations that this library needs. Implementations throw only `KmsCodecError`. */
export interface KeyService {
  /** Encrypts under the crypto key's primary version. At most 64 KiB of plaintext (8 KiB with the AAD for HSM keys). */
  wrap(request: WrapRequest): Promise<Wrapped>;
  /** Decrypts; Cloud KMS finds the version from the ciphertext. The caller wipes the result. */
  unwrap(request: UnwrapRequest): Promise<Uint8Array>;
  /** Returns the states of a crypto key's versions. Needs the permission `cloudkms.cryptoKeyVersions.list`. */
  describe(key: string): Promise<KeyDescription>;
  close(): Promise<void>;
}

export interface WrapRequest {
  /** Crypto key resource name, without a version. */
  readonly key: string;
  readonly plaintext: Uint8Array;
  /** Additional authenticated data; empty when the format has none. */
  readonly aad: Uint8Array;
}

export interface Wrapped {
  readonly ciphertext: Uint8Array;
  /** The version that encrypted, from `EncryptResponse.name`. */
  readonly keyVersion: number;
  readonly protectionLevel: string;
}

export interface UnwrapRequest {
  readonly key: string;
  readonly ciphertext: Uint8Array;
  readonly aad: Uint8Array;
  /** The version that the message names, if it does. Its state is looked up when Cloud KMS returns an error. */
  readonly keyVersion?: number | undefined;
}

/** Names of Cloud KMS's CryptoKeyVersionState. */
export type KeyVersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED' | 'DESTROY_SCHEDULED' | (string & {});

export interface KeyDescription {
  /** The resource name in the request to Cloud KMS. */
  readonly key: string;
  /** The resource name in Cloud KMS's answer. */
  readonly name?: string | undefined;
  readonly primary: number | undefined;
  readonly protectionLevel: string | undefined;
  readonly rotationPeriodSeconds: number | undefined;
  readonly nextRotation: Date | undefined;
  readonly versions: readonly {
    readonly version: number;
    readonly state: KeyVersionState;
    readonly created: Date | undefined;
    /**
     * When its key material was generated or, in the end, imported. Before, no program could encrypt under the
     * version.
     */
    readonly generated?: Date | undefined;
    readonly destroyTime: Date | undefined;
    /** Name of Cloud KMS's CryptoKeyVersionAlgorithm. */
    readonly algorithm?: string | undefined;
    /** Name of Cloud KMS's ProtectionLevel. */
    readonly protectionLevel?: string | undefined;
  }[];
}
