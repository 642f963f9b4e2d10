const HOUR = 3_600_000;
const GiB = 2 ** 30;

/**
 * How long a branch key or data key encrypts, how much one data key encrypts, and how long a Cloud KMS
 * response is valid. docs/wire-formats.md lists the defaults. Limits can be lowered but not raised.
 */
export interface DataKeyLimits {
  /**
   * At about 75 % of this age, Cloud KMS wraps a new key in the background, which then replaces the current key.
   */
  readonly softAgeMs: number;
  /** Above this age, `encode` fails with `data_key_exhausted`. */
  readonly hardAgeMs: number;
  /**
   * At this limit, the codec derives the next data key without Cloud KMS. In the format `envelope`, which
   * does not derive data keys, Cloud KMS wraps a new data key at about 75 % of this limit.
   */
  readonly softMessages: number;
  readonly softBytes: number;
  /**
   * Maximum number of messages under one data key; only in the format `envelope`. With 2^28 messages, the
   * probability of a nonce collision is 2^-41.
   */
  readonly hardMessages: number;
  readonly hardBytes: number;
  /**
   * Period, in ms, within which Cloud KMS must have confirmed that a key's version may be used. Without this
   * confirmation, the key does not decrypt.
   */
  readonly revalidateMs: number;
  /**
   * Maximum number of branch keys and data keys for decryption in memory. The least recently used key is
   * evicted first.
   */
  readonly maxDecryptionKeys: number;
  /**
   * Maximum number of branch keys and data keys for encryption. Each namespace and format has one such key.
   */
  readonly maxEncryptionKeys: number;
  /**
   * Maximum number of one namespace's Cloud KMS calls in flight; further calls wait. By default, there is no
   * limit.
   */
  readonly callsInFlight: number;
}

export const defaultLimits: DataKeyLimits = {
  softAgeMs: HOUR,
  softMessages: 2 ** 20,
  softBytes: 64 * GiB,
  hardAgeMs: 24 * HOUR,
  hardMessages: 2 ** 28,
  hardBytes: 4096 * GiB,
  revalidateMs: 300_000,
  maxDecryptionKeys: 16_384,
  maxEncryptionKeys: 1_024,
  callsInFlight: Number.POSITIVE_INFINITY,
};

/**
 * Returns limits with defaults filled in.
 * @throws RangeError if a limit is not positive or exceeds its default
 */
export function resolveLimits(wanted: Partial<DataKeyLimits> = {}): DataKeyLimits {
  const limits = { ...defaultLimits, ...wanted };
  const most = new Map(Object.entries(defaultLimits));
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0 && value <= (most.get(name) ?? 0))) {
      throw new RangeError(
        `The data key limit ${name} is ${value}; it must be above 0 and at most ${most.get(name)}`,
      );
    }
  }
  // A hard limit below its soft limit would leave no time to replace a key.
  return {
    ...limits,
    softAgeMs: Math.min(limits.softAgeMs, limits.hardAgeMs),
    softMessages: Math.min(limits.softMessages, limits.hardMessages),
    softBytes: Math.min(limits.softBytes, limits.hardBytes),
  };
}
