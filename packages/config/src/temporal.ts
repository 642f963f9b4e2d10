import { accessSync, constants } from 'node:fs';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { type ClientConnectConfig, loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { Values } from './environment.ts';
import { isLoopback } from './fields.ts';

export interface TemporalConfig {
  /** Options for the connection of a Temporal client or worker. */
  readonly connectionOptions: ClientConnectConfig['connectionOptions'];
  readonly namespace: string;
}

/**
 * Returns Temporal's address, credentials, TLS settings and namespace. Like Temporal's own tools, reads these
 * values from the TEMPORAL_* variables first, then from the profile file. An empty variable counts as unset.
 * @throws Error that names the problem and the variables to check. The message never quotes the profile file,
 *   which may contain an API key
 */
export function loadTemporalConfig(values: Values = process.env): TemporalConfig {
  try {
    return load(values);
  } catch (error) {
    const what = messageOf(error);
    const where = 'TEMPORAL_* variables, profile file: TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE';
    throw new Error(`Temporal's configuration (${where}) is invalid: ${what}`, { cause: error });
  }
}

function load(values: Values): TemporalConfig {
  const overrideEnvVars: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) if (value) overrideEnvVars[name] = value;
  const file = overrideEnvVars['TEMPORAL_CONFIG_FILE'];
  // The SDK would ignore an unreadable file and connect to the default address.
  if (file !== undefined) accessSync(file, constants.R_OK);
  const profile = loadClientConfigProfile({ overrideEnvVars });
  const { tls, apiKey, address = 'localhost:7233' } = profile;
  if ((tls?.clientCert === undefined) !== (tls?.clientKey === undefined)) {
    throw new Error('A client certificate and its private key must be set together');
  }
  if (apiKey !== undefined && tls?.disabled === true && !isLoopback(address.replace(/:\d+$/, ''))) {
    throw new Error('Without TLS, the API key would be sent in plaintext');
  }
  const { connectionOptions, namespace = 'default' } = toClientOptions(profile);
  return { connectionOptions, namespace };
}
