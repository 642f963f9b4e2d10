import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  codecServerEnvironment,
  type Environment,
  type Values,
  workerEnvironment,
} from '@temporal-kms/config';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { writePrivateFile } from '../cli/private-file.ts';
import { keyName, type KeySpec } from './key-spec.ts';

/** A configuration file of an application. */
export interface ConfigFile {
  readonly path: string;
  readonly content: string;
  /** `differs`: the file exists with other content, which `setup` keeps by default. */
  readonly status: 'to do' | 'exists' | 'differs';
}

export interface FileOptions {
  readonly folder: string;
  /** The namespaces for which the programs use the key. The first namespace is the application's own. */
  readonly namespaces: readonly [string, ...string[]];
  readonly temporalAddress: string;
  /** Origins of Temporal's Web UI and dashboards. */
  readonly origins: readonly string[];
  readonly emulatorHost: string | undefined;
}

const unset = new Set([
  'KMS_UNSAFE',
  'KMS_ALLOW_DIAGNOSTICS',
  'KMS_EMULATOR_HOST',
  'KMS_EMULATOR_IN_PRODUCTION',
  'NODE_OPTIONS',
]);

/** Whether the files omit a variable, because a configuration must not or should not set it. */
const left = (name: string, example: string): boolean =>
  example === '(unset)' || unset.has(name) || name.startsWith('GCP_');

/** Returns the files and their status, without writing a file. */
export async function planFiles(spec: KeySpec, files: FileOptions): Promise<ConfigFile[]> {
  const { namespaces, temporalAddress, origins, emulatorHost } = files;
  const [namespace] = namespaces;
  const keysFile = resolve(files.folder, 'keys.yaml');
  const shared = {
    KMS_KEYS_FILE: keysFile,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    KMS_EMULATOR_HOST: emulatorHost,
  };
  const codecServer = { ...shared, CODEC_CORS_ORIGINS: origins.length > 0 ? origins.join(',') : undefined };
  return [
    await planned(join(files.folder, 'keys.yaml'), keysFileOf(keyName(spec), namespaces)),
    await planned(join(files.folder, 'worker.env'), contentOf('worker', workerEnvironment, shared)),
    await planned(
      join(files.folder, 'codec-server.env'),
      contentOf('codec-server', codecServerEnvironment, codecServer),
    ),
  ];
}

/**
 * Returns a keys file that names the namespaces. The file has no `default`, because a program could then use
 * the key in any namespace.
 */
export const keysFileOf = (key: string, namespaces: readonly string[]): string =>
  [
    '# The keys of each namespace, written by temporal-kms setup. A namespace that is not listed is refused.',
    'namespaces:',
    ...namespaces.flatMap((namespace) => [`  '${namespace.replaceAll("'", "''")}':`, `    encrypt: ${key}`]),
    '...',
    '',
  ].join('\n');

async function planned(path: string, content: string): Promise<ConfigFile> {
  try {
    const existing = await readFile(path, 'utf8');
    return { path, content, status: existing === content ? 'exists' : 'differs' };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { path, content, status: 'to do' };
    throw error;
  }
}

/**
 * Returns an environment file for `node --env-file`, systemd and container engines. The file contains the
 * variables that are set, and then other variables as comments.
 */
function contentOf(app: string, { variables }: Environment<unknown>, values: Values): string {
  const entries = Object.entries(variables);
  const set = entries.flatMap(([name, { about }]) =>
    values[name] ? [`# ${about}`, `${name}=${values[name]}`] : [],
  );
  const others = entries.flatMap(([name, { about, example, default: standard }]) =>
    values[name] || left(name, example)
      ? []
      : [`# ${about}${standard === undefined ? '' : ` (default ${standard})`}`, `#${name}=${example}`],
  );
  return [
    `# The environment of ${app}, written by temporal-kms setup. Check it: temporal-kms doctor --app ${app} --env-file <this file>`,
    '',
    ...set,
    '',
    '# Further variables',
    ...others,
    '',
  ].join('\n');
}

/** Writes a file that only its owner can read, because people may add an API key to it. */
export async function writeConfigFile({ path, content }: ConfigFile, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writePrivateFile(path, content);
}
