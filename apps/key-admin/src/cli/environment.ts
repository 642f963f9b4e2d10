import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import {
  ConfigError,
  type KeyAdminConfig,
  keyAdminEnvironment,
  type Mistake,
  parseConfig,
  type Values,
} from '@temporal-kms/config';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { CliError } from './cli-error.ts';
import { quote } from './quote.ts';

export interface EnvironmentOptions {
  readonly envFile?: string;
  /** Resource name of the crypto key to use in place of the environment's crypto keys. */
  readonly key?: string;
  /**
   * If true, and the environment names keys, `key` only selects one of them: the keys file still determines
   * which namespaces exist and which key encrypts. Otherwise `key` replaces the environment's keys.
   */
  readonly keepsKeys?: boolean;
}

/**
 * Returns the variables of a process together with those of a file in the format of `node --env-file`. The
 * process's variables take precedence, unless they are empty.
 * @throws CliError if the file cannot be read
 */
export function withEnvFile(env: Values, file: string | undefined): Values {
  if (file === undefined) return env;
  try {
    return { ...parseEnv(readFileSync(file, 'utf8')), ...withoutEmpty(env) };
  } catch (error) {
    const reason = codeOf(error) ?? 'it cannot be read';
    throw new CliError('configuration', `The --env-file ${file} cannot be used: ${reason}`);
  }
}

const withoutEmpty = (env: Values): Values =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));

/**
 * Reads the configuration of Cloud KMS as the applications do.
 * @throws CliError that lists every mistake
 */
export function loadKeyConfig(
  env: Values,
  { envFile, key, keepsKeys = false }: EnvironmentOptions,
): KeyAdminConfig {
  const values = withEnvFile(env, envFile);
  const names = ['GCP_KMS_KEY', 'KMS_KEYS_FILE'].some((name) => values[name]);
  const ofKey = key === undefined ? {} : variablesOf(key);
  try {
    return parseConfig(keyAdminEnvironment, keepsKeys && names ? values : { ...values, ...ofKey });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError('configuration', error.message.split('\n'), [
      ...(names || key !== undefined ? [] : [`--key ${EXAMPLE_KEY}`]),
      ...new Set(error.mistakes.flatMap((mistake) => fixOf(mistake, values))),
    ]);
  }
}

/** Returns the commands to type to correct a mistake in a variable, or in the file that the variable names. */
export function fixOf({ variable, example }: Mistake, values: Values): string[] {
  const value = values[variable];
  if (variable.endsWith('_FILE') && value) return [`ls -l ${quote(value)}`, `$EDITOR ${quote(value)}`];
  return [
    example === undefined || example.startsWith('(') ? `unset ${variable}` : `export ${variable}=${example}`,
  ];
}

const EXAMPLE_KEY = 'projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY';

/** The parts of a crypto key's resource name. */
export interface KeyName {
  readonly project: string;
  readonly location: string;
  readonly ring: string;
  readonly id: string;
}

/** @throws CliError if the text is not the resource name of a crypto key */
export function parseKeyName(key: string): KeyName {
  const match = /^projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/.exec(key);
  if (match === null) {
    throw new CliError('usage', `${key} is not the resource name of a crypto key`, [`--key ${EXAMPLE_KEY}`]);
  }
  const [, project = '', location = '', ring = '', id = ''] = match;
  return { project, location, ring, id };
}

/**
 * Returns the variables that name the key, so that the key is validated like an application's key.
 */
function variablesOf(key: string): Values {
  const { project, location, ring, id } = parseKeyName(key);
  return {
    GCP_PROJECT: project,
    GCP_KMS_LOCATION: location,
    GCP_KMS_KEY_RING: ring,
    GCP_KMS_KEY: id,
    KMS_KEYS_FILE: undefined,
  };
}
