import { KmsCodecError } from './errors.ts';

/** Limits how much plaintext one call, one request or the process holds in memory at a time. */
export interface PlaintextBudget {
  /**
   * The codec calls this method before it allocates plaintext: once with the size of a ciphertext, and again
   * with the declared size of a compressed plaintext. The codec never releases bytes: the budget's owner must
   * track when the bytes are no longer in use.
   * @param bytes number of bytes that the codec is about to allocate, at least 0
   * @returns nothing if the bytes fit; otherwise a promise that resolves once the bytes fit; the payload
   *   waits for this promise
   * @throws KmsCodecError `too_large` to refuse this payload
   */
  reserve(bytes: number): void | Promise<void>;
}

/**
 * Limits the Cloud KMS calls for layers inside encrypted payloads. A plan cannot count these calls in
 * advance.
 */
export interface InnerKmsCalls {
  /**
   * The codec calls this method before it decrypts an inner layer.
   * @param ids an id for each Cloud KMS call that the layer may need; payloads with the same wrapped key
   *   share an id
   * @throws any error, to fail the call
   */
  reserve(ids: readonly string[]): void;
}

/** A layer inside an encrypted payload, as the layer's header or metadata describes it. */
export interface InnerLayer {
  readonly format: string;
  /** Crypto key resource name, if the layer names a crypto key. */
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  /** The namespace that the layer names, if its format contains a namespace. */
  readonly namespace?: string | undefined;
}

/** Options of one call of `encode`, `decode` or `decrypt`. */
export interface CallOptions {
  /**
   * Aborts the call while it waits for Cloud KMS. The codec reads this property only if the call waits or
   * fails, so the property may be a getter.
   */
  readonly signal?: AbortSignal | undefined;
  /** Replaces the codec's limit on the plaintext of one call (`maxCallBytes`). */
  readonly budget?: PlaintextBudget | undefined;
  /**
   * Whether the codec may decrypt a payload in place (into its `data`), so that a large payload is in memory
   * only once. Afterwards, the stored payload cannot be decrypted again. The codec then reserves memory only for
   * decompressed plaintext. Default: false.
   */
  readonly overwrite?: boolean | undefined;
  /** Limits the Cloud KMS calls for inner layers. Default: three calls per payload and crypto key. */
  readonly innerKmsCalls?: InnerKmsCalls | undefined;
  /**
   * The codec calls this function after it has decrypted a layer inside an encrypted payload, so that an
   * audit can record the layer. `inspect` cannot see such layers.
   */
  readonly onInnerLayer?: ((layer: InnerLayer) => void) | undefined;
  /**
   * Called before the codec decrypts a message that names a namespace other than that of the call. `accepts`
   * in the keys file specifies what a namespace's workers may read, but not what a person may read.
   * @throws KmsCodecError `namespace_not_permitted` to refuse this payload; after any other error, the whole
   *   call fails
   */
  authorizeNamespace?(namespace: string): void | Promise<void>;
}

/** Limits the plaintext of one call to a fixed total. */
export class CallBudget implements PlaintextBudget {
  readonly #limit: number;
  #used = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  reserve(bytes: number): void {
    this.#used += bytes;
    if (this.#used <= this.#limit) return;
    throw new KmsCodecError(
      'too_large',
      `This call's payloads contain more than ${this.#limit} bytes of plaintext: send fewer or smaller payloads per call`,
    );
  }
}
