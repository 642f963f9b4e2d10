import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { messageOf } from './errors.ts';

export interface TemporalConfig {
  readonly connectionOptions: NativeConnectionOptions;
  readonly namespace: string;
}

/**
 * Where Temporal is, as all of its tools read it: TEMPORAL_* variables over a profile file.
 *
 * @throws Error that says what is wrong with them.
 */
export function loadTemporalConfig(env: Readonly<Record<string, string | undefined>>): TemporalConfig {
  const overrideEnvVars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) overrideEnvVars[name] = value;
  try {
    const { connectionOptions, namespace = 'default' } = loadClientConnectConfig({ overrideEnvVars });
    return { connectionOptions, namespace };
  } catch (error) {
    const where = 'Look at TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and the other TEMPORAL_ variables.';
    throw new Error(`Temporal's configuration can't be read: ${messageOf(error)}. ${where}`, {
      cause: error,
    });
  }
}
