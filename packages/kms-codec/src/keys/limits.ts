const HOUR = 3_600_000;
const GiB = 2 ** 30;

/**
 * How long and how much one data key may seal, and how long an opened one is kept. The defaults are the stated numbers
 * of docs/wire-formats.md; each may be lowered, none raised.
 */
export interface DataKeyLimits {
  /** A new data key is wrapped in the background from 75 % of any of these and takes over when it is ready. */
  readonly softAgeMs: number;
  readonly softMessages: number;
  readonly softBytes: number;
  /** Past any of these encode fails with `data_key_exhausted`. 2^28 messages: chance of a nonce collision 2^-41. */
  readonly hardAgeMs: number;
  readonly hardMessages: number;
  readonly hardBytes: number;
  /** Opened data keys are forgotten after this time, however often they are used. */
  readonly openedTtlMs: number;
  readonly openedMax: number;
  /** Namespaces (and formats) with a sealing key at the same time. */
  readonly sealingMax: number;
  /** Cloud KMS calls under way at the same time for one namespace; more wait. Default: no limit. */
  readonly callsInFlight: number;
}

export const defaultLimits: DataKeyLimits = {
  softAgeMs: HOUR,
  softMessages: 2 ** 20,
  softBytes: 64 * GiB,
  hardAgeMs: 24 * HOUR,
  hardMessages: 2 ** 28,
  hardBytes: 4096 * GiB,
  openedTtlMs: 300_000,
  openedMax: 16_384,
  sealingMax: 1_024,
  callsInFlight: Number.POSITIVE_INFINITY,
};

/** @throws RangeError when a limit isn't a positive number or is above its default. */
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
  // Lowering a hard limit below its soft one would leave no time to replace a key.
  return {
    ...limits,
    softAgeMs: Math.min(limits.softAgeMs, limits.hardAgeMs),
    softMessages: Math.min(limits.softMessages, limits.hardMessages),
    softBytes: Math.min(limits.softBytes, limits.hardBytes),
  };
}
