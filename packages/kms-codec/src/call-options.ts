import { KmsCodecError } from './errors.ts';

/** Limits the plaintext in memory at the same time, for one call, a request, or a process. */
export interface PlaintextBudget {
  /**
   * The codec calls this before it allocates plaintext: once with the size of a ciphertext, and again with the declared
   * size of a compressed plaintext. The codec never returns bytes; the owner of the budget knows when they are unused.
   * @param bytes that the codec is about to allocate, at least 0
   * @returns nothing when they fit, or a promise that resolves as soon as they do: the payload waits for it
   * @throws KmsCodecError `too_large` to refuse this payload
   */
  reserve(bytes: number): void | Promise<void>;
}

/** Limits the Cloud KMS calls that a plan cannot count: those for layers inside encrypted payloads. */
export interface InnerKmsCalls {
  /**
   * The codec calls this before it decrypts an inner layer.
   * @param ids an id for each Cloud KMS call that the layer may need; payloads with the same wrapped key share its id
   * @throws any error; it fails the call
   */
  reserve(ids: readonly string[]): void;
}

/** A layer inside an encrypted payload, as its header or metadata describes it. */
export interface InnerLayer {
  readonly format: string;
  /** Crypto key resource name, when the layer names one. */
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  /** The namespace that the layer names, if its format has one. */
  readonly namespace?: string | undefined;
}

/** Options of one call of `encode`, `decode` or `decrypt`. */
export interface CallOptions {
  /** Aborts the call while it waits for Cloud KMS. The codec reads it only then, so it may be a getter. */
  readonly signal?: AbortSignal | undefined;
  /** Replaces the codec's limit on the plaintext of one call (`maxCallBytes`). */
  readonly budget?: PlaintextBudget | undefined;
  /** Default: no limit other than three calls per payload and crypto key. */
  readonly innerKmsCalls?: InnerKmsCalls | undefined;
  /**
   * Called after a layer inside an encrypted payload was decrypted, for an audit: `inspect` cannot see such a layer.
   */
  readonly onInnerLayer?: ((layer: InnerLayer) => void) | undefined;
  /**
   * Called before the codec decrypts a message that names a namespace other than the call's, for every such message.
   * The keys file's `accepts` specifies what a namespace's workers may read, not what a person may.
   * @throws KmsCodecError `namespace_not_permitted` to refuse this payload; any other error fails the call
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
      `This call's payloads hold more than ${this.#limit} bytes of plaintext: send fewer or smaller payloads per call`,
    );
  }
}
