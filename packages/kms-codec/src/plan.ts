import type { CallOptions } from './call-options.ts';
import { addKmsCalls, infoOf, type ParsedPayload, type PayloadInfo } from './formats/formats.ts';
import type { Payload } from './formats/payload.ts';
import type { DataKeys } from './keys/data-keys.ts';

/** Decrypts parsed payloads in one call. */
type Decrypt = (parsed: readonly ParsedPayload[], options: CallOptions) => Promise<Payload[]>;

/**
 * A plan for decoding a list of payloads. `KmsCodec.plan` parses each payload once and makes no Cloud KMS
 * call, so a server can check permissions and limits before it decrypts.
 */
export class DecodePlan {
  /** What `inspect` returns for each payload. */
  readonly payloads: readonly PayloadInfo[];
  readonly #parsed: readonly ParsedPayload[];
  readonly #keys: DataKeys;
  readonly #decrypt: Decrypt;

  /** @internal */
  constructor(parsed: readonly ParsedPayload[], keys: DataKeys, decrypt: Decrypt) {
    this.payloads = parsed.map(infoOf);
    this.#parsed = parsed;
    this.#keys = keys;
    this.#decrypt = decrypt;
  }

  /**
   * The maximum number of Cloud KMS calls needed to decrypt the payloads. Each wrapped key that is not
   * cached, or that Cloud KMS must confirm again, counts once for each crypto key that may have wrapped it.
   * Each message in the format `direct` counts likewise. One response usually confirms many keys, but after a
   * refusal, each key needs a call. Payloads that the codec refuses without a call do not count. Layers
   * inside payloads do not count either (see `CallOptions.innerKmsCalls`).
   */
  get kmsCalls(): number {
    const ids = new Set<string>();
    let counted: ParsedPayload['message'] | undefined;
    for (const { message } of this.#parsed) {
      // Consecutive payloads with the same header share one parsed message.
      if (message === counted) continue;
      addKmsCalls(ids, message, this.#keys);
      counted = message;
    }
    return ids.size;
  }

  /**
   * Decrypts the payloads as `KmsCodec.decode` does.
   * @param start index of the first payload to decrypt; 0 by default
   * @param end index after the last payload to decrypt; the number of payloads by default
   * @throws KmsCodecError for the first payload that cannot be decrypted
   */
  async decrypt(
    options: CallOptions = {},
    start: number = 0,
    end: number = this.#parsed.length,
  ): Promise<Payload[]> {
    const isWhole = start === 0 && end >= this.#parsed.length;
    return await this.#decrypt(isWhole ? this.#parsed : this.#parsed.slice(start, end), options);
  }
}
