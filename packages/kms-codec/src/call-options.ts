import { KmsCodecError } from './errors.ts';

/** Bounds the plaintext that is in memory at the same time: of one call, of a request, or of a whole process. */
export interface PlaintextBudget {
  /**
   * The codec calls this before it allocates plaintext: once with the size of a ciphertext, and once more with the
   * declared size of a compressed plaintext. The budget's owner knows when the plaintext is no longer in use; the codec
   * returns nothing.
   * @param bytes that are about to be allocated, at least 0
   * @returns nothing when they fit, or a promise that resolves once they do: the payload waits for it
   * @throws KmsCodecError `too_large` to refuse this payload
   */
  reserve(bytes: number): void | Promise<void>;
}

/** Bounds the Cloud KMS calls that a plan cannot count: those for layers inside encrypted or compressed payloads. */
export interface InnerKmsCalls {
  /**
   * The codec calls this before it decrypts a layer that is inside another one, or a payload that was stored compressed.
   * @param ids one per Cloud KMS call that the layer may need; payloads under the same data key share its id
   * @throws any error; it fails the call
   */
  reserve(ids: readonly string[]): void;
}

/** A layer inside an encrypted payload, as its own header or metadata describes it. */
export interface InnerLayer {
  readonly format: string;
  /** Crypto key resource name, when the layer names one. */
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  /** The namespace that the layer names, where its format has one. */
  readonly namespace?: string | undefined;
}

/** What a caller may add to one call of `encode`, `decode` or `open`. */
export interface CallOptions {
  /** Aborts the call while it waits for Cloud KMS. Read only then, so it may be a getter. */
  readonly signal?: AbortSignal | undefined;
  /** Replaces the codec's own limit on the plaintext of one call (`maxCallBytes`). */
  readonly budget?: PlaintextBudget | undefined;
  /** Absent: as many calls as the layers need, at most three per payload and crypto key. */
  readonly innerKmsCalls?: InnerKmsCalls | undefined;
  /** Called after a layer inside an encrypted payload was decrypted: `inspect` cannot see it, an audit has to. */
  readonly onInnerLayer?: ((layer: InnerLayer) => void) | undefined;
  /**
   * Called before a message is decrypted that names a namespace other than the call's: the keys file's `accepts` says
   * what a namespace's workers may read, not what each of its readers may. Called for every such message.
   * @throws KmsCodecError `namespace_not_permitted` to refuse this payload; anything else fails the call
   */
  authorizeNamespace?(namespace: string): void | Promise<void>;
}

/** The plaintext of one call, up to a fixed total. */
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
      `The payloads of this call hold more than ${this.#limit} bytes of plaintext: send fewer or smaller payloads per call`,
    );
  }
}
