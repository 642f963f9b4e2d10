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

const PLAINTEXT = 'FLEET_PLAINTEXT';

/** The environment variable of a worker without a codec, for comparisons. */
export const plaintextVariable: Readonly<Record<string, string>> = { [PLAINTEXT]: 'true' };

export const isPlaintext = (env: Readonly<Record<string, string | undefined>>): boolean =>
  env[PLAINTEXT] === 'true';
