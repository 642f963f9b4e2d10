import { ConfigError } from '../src/index.ts';

/** The smallest set of variables that names a key. */
export const kms = {
  GCP_PROJECT: 'local-dev',
  GCP_KMS_KEY_RING: 'temporal-keys',
  GCP_KMS_KEY: 'workflow-encryption',
};

/** Returns the variable and the problem of each mistake that `load` reports. */
export function mistakesOf(load: () => unknown): [variable: string, problem: string][] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError)
      return error.mistakes.map(({ variable, problem }) => [variable, problem]);
    throw error;
  }
  return [];
}
