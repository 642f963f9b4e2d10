/** The Cloud KMS operations that this library needs. Implementations throw only `KmsCodecError`. */
export interface KeyService {
  /**
   * Encrypts under the crypto key's primary version. The limit is 64 KiB of plaintext or, for HSM keys, 8 KiB
   * of plaintext plus AAD.
   */
  wrap(request: WrapRequest): Promise<Wrapped>;
  /** Decrypts. Cloud KMS determines the version from the ciphertext. The caller must wipe the result. */
  unwrap(request: UnwrapRequest): Promise<Uint8Array>;
  /**
   * Returns a crypto key and the states of its versions. Needs the permissions `cloudkms.cryptoKeys.get` and
   * `cloudkms.cryptoKeyVersions.list`.
   */
  describe(key: string): Promise<KeyDescription>;
  close(): Promise<void>;
}

export interface WrapRequest {
  /** Crypto key resource name, without a version. */
  readonly key: string;
  readonly plaintext: Uint8Array;
  /** Additional authenticated data; empty if the format has none. */
  readonly aad: Uint8Array;
}

export interface Wrapped {
  readonly ciphertext: Uint8Array;
  /** The key version that encrypted the plaintext, taken from `EncryptResponse.name`. */
  readonly keyVersion: number;
  readonly protectionLevel: string;
}

export interface UnwrapRequest {
  readonly key: string;
  readonly ciphertext: Uint8Array;
  readonly aad: Uint8Array;
  /**
   * The key version that the message names, if it names a version. If Cloud KMS returns an error, the service
   * looks up the state of this version.
   */
  readonly keyVersion?: number | undefined;
}

/** A name from Cloud KMS's CryptoKeyVersionState. */
export type KeyVersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED' | 'DESTROY_SCHEDULED' | (string & {});

export interface KeyDescription {
  /** The resource name in the request to Cloud KMS. */
  readonly key: string;
  /** The resource name in Cloud KMS's response. */
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
     * When the version's key material was generated or imported. Before that time, nothing could be encrypted
     * under the version.
     */
    readonly generated?: Date | undefined;
    /** When the version was or will be destroyed. */
    readonly destroyTime: Date | undefined;
    /** A name from Cloud KMS's CryptoKeyVersionAlgorithm. */
    readonly algorithm?: string | undefined;
    /** A name from Cloud KMS's ProtectionLevel. */
    readonly protectionLevel?: string | undefined;
  }[];
}
