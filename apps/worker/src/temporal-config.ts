import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { messageOf } from './errors.ts';

export interface TemporalConfig {
  readonly connectionOptions: NativeConnectionOptions;
  readonly namespace: string;
}

/**
 * Returns Temporal's address and namespace as all of Temporal's tools read them: from TEMPORAL_* variables, then from a
 * profile file.
 *
 * @throws Error with the fault and the variables to check
 */
export function loadTemporalConfig(env: Readonly<Record<string, string | undefined>>): TemporalConfig {
  const overrideEnvVars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) overrideEnvVars[name] = value;
  try {
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({ overrideEnvVars });
    return { connectionOptions, namespace };
  } catch (error) {
    const where = 'Check TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and the other TEMPORAL_ variables.';
    throw new Error(`Cannot read Temporal's configuration: ${messageOf(error)}. ${where}`, {
      cause: error,
    });
  }
}
