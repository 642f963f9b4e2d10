import type { DataKeyLimits } from '@temporal-kms/kms-codec';

export const NAMESPACE = 'default';
export const TASK_QUEUE = 'fleet';

/** Milliseconds after which the keys that encrypt are replaced; production has an hour. */
const LIFETIME = 'FLEET_KEY_LIFETIME_MS';

/** The environment variable of a worker with this lifetime of keys. */
export const lifetimeVariable = (ms: number): Record<string, string> => ({ [LIFETIME]: String(ms) });

/** The time for which an answer of Cloud KMS counts must be longer than its slowest answer. */
export function keyLimits(env: Readonly<Record<string, string | undefined>>): Partial<DataKeyLimits> {
  const ms = Number(env[LIFETIME]);
  return { softAgeMs: ms, revalidateMs: ms / 6 };
}

const CODEC = 'FLEET_CODEC';

/** The codec of a worker: ours, one that returns every payload unchanged, or none. The last two are for comparisons. */
export type FleetCodec = 'kms' | 'identity' | 'none';

/** The environment variable of a worker with this codec. */
export const codecVariable = (codec: FleetCodec): Record<string, string> => ({ [CODEC]: codec });

export function codecOf(env: Readonly<Record<string, string | undefined>>): FleetCodec {
  const codec = env[CODEC] ?? 'kms';
  if (codec === 'kms' || codec === 'identity' || codec === 'none') return codec;
  throw new Error(`${CODEC} must be kms, identity or none.`);
}
