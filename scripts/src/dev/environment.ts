import { join, resolve } from 'node:path';
import { isPortTaken } from '../ports.ts';
import { devDir, projectRoot } from '../project.ts';

export interface DevPort {
  /** The environment variable that sets the port. */
  readonly variable: string;
  readonly port: number;
  /** The name of the program that listens on the port, for messages. */
  readonly listener: string;
}

/**
 * Returns all ports on which `pnpm dev` listens.
 *
 * @throws Error with a line for each variable that is not a port or has the same port as another variable
 */
export function devPorts(env: NodeJS.ProcessEnv) {
  const port = (variable: string, standard: number, listener: string): DevPort => {
    const value = env[variable] || String(standard);
    return { variable, port: /^\d{1,5}$/.test(value) ? Number(value) : 0, listener };
  };
  const ports = {
    temporal: port('DEV_TEMPORAL_PORT', 7233, 'the Temporal server'),
    temporalUi: port('DEV_TEMPORAL_UI_PORT', 8233, "Temporal's Web UI"),
    kms: port('DEV_KMS_PORT', 9061, 'the KMS emulator'),
    kmsControl: port('DEV_KMS_CONTROL_PORT', 9062, "the KMS emulator's control API"),
    codec: port('DEV_CODEC_PORT', 8088, 'the codec server'),
    worker: port('DEV_WORKER_PORT', 8089, "the worker's health endpoints"),
    ui: port('DEV_UI_PORT', 5173, 'the dashboard'),
    signIn: port('DEV_SIGN_IN_PORT', 8090, 'the identity provider (with DEV_AUTH=1)'),
  };
  const mistakes = Object.values(ports).flatMap((wanted, index, all) => mistake(wanted, all.slice(0, index)));
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
  return ports;
}

export type DevPorts = ReturnType<typeof devPorts>;

function mistake({ variable, port, listener }: DevPort, before: readonly DevPort[]): string[] {
  if (port < 1 || port > 65_535) return [`${variable} must be a port number from 1 to 65535.`];
  const other = before.find((earlier) => earlier.port === port);
  return other
    ? [`${variable} and ${other.variable} are both ${port}. Set one of them to another port for ${listener}.`]
    : [];
}

/** @throws Error with a line for each port in use. The line names the port's listener and variable */
export async function requireFreePorts(ports: readonly DevPort[]): Promise<void> {
  const checked = await Promise.all(
    ports.map(async (wanted) => ({ ...wanted, taken: await isPortTaken(wanted.port) })),
  );
  const lines = checked
    .filter(({ taken }) => taken)
    .map(({ port, listener, variable }) => {
      return `Port ${port} of ${listener} is in use. Free it, or set ${variable} to another port.`;
    });
  if (lines.length > 0) throw new Error(lines.join('\n'));
}

/**
 * Matches variables that select a Temporal server, a Google project, keys or settings of our applications.
 */
const chosenByDev = /^(TEMPORAL_|GCP_|KMS_|GOOGLE_|GCLOUD_|CODEC_|WORKER_|AUTH)/;

/** Variables with the paths of tools, which do not select a server. */
const kept = new Set(['TEMPORAL_CLI_PATH']);

/**
 * Returns the environment of all programs that `pnpm dev` starts.
 *
 * Sample data must never reach a Temporal server or a Cloud KMS that the user's environment or profile file
 * names. Therefore, `pnpm dev` sets these variables itself, and passes on the user's variables only with
 * `DEV_REMOTE=1`.
 */
export function devEnvironment(env: NodeJS.ProcessEnv, ports: DevPorts): NodeJS.ProcessEnv {
  const remote = isRemote(env);
  const passedOn = Object.entries(env).filter(
    ([name]) => remote || kept.has(name) || !chosenByDev.test(name),
  );
  return {
    ...Object.fromEntries(passedOn),
    ...(!remote && localServices(env, ports)),
    ...(hasSignIn(env) && signIn(env)),
    ...Object.fromEntries(Object.values(ports).map(({ variable, port }) => [variable, String(port)])),
    DEV_DATA_DIR: dataDir(env),
    DEV_STORAGE_DIR: storageDir(env),
    CODEC_HOST: '127.0.0.1',
    CODEC_PORT: String(ports.codec.port),
    // The dashboard's requests pass through Vite, which keeps the browser's `Origin` and may keep its `Host`.
    CODEC_CORS_ORIGINS: [...origins(ports.temporalUi.port), ...origins(ports.ui.port)].join(','),
    CODEC_ALLOWED_HOSTS: [...hosts(ports.codec.port), ...hosts(ports.ui.port)].join(','),
    WORKER_HEALTH_HOST: '127.0.0.1',
    WORKER_HEALTH_PORT: String(ports.worker.port),
    // The grace period is short, because the activity of one sample waits forever, and turbo kills a task ten
    // seconds after its signal.
    WORKER_SHUTDOWN_GRACE_SECONDS: '1',
    // Makes Node cache compiled modules, because a start mostly consists of importing Google's and Temporal's
    // clients.
    NODE_COMPILE_CACHE: join(devDir, 'compile-cache'),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
  };
}

/** What the applications are started from: their sources, their artefacts, or the container images. */
export type Source = 'sources' | 'artefacts' | 'images';

/** @throws Error if DEV_FROM has another value */
export function runsFrom(env: NodeJS.ProcessEnv): Source {
  const value = env['DEV_FROM'] || 'sources';
  if (value === 'sources' || value === 'artefacts' || value === 'images') return value;
  throw new Error('DEV_FROM must be sources, artefacts or images.');
}

export const isRemote = (env: NodeJS.ProcessEnv): boolean => env['DEV_REMOTE'] === '1';

/** @throws Error if DEV_REMOTE=1 is also set, because a remote setup has a separate policy */
export function hasSignIn(env: NodeJS.ProcessEnv): boolean {
  if (env['DEV_AUTH'] !== '1') return false;
  if (isRemote(env))
    throw new Error(
      'DEV_AUTH=1 is for local data. With DEV_REMOTE=1, set AUTH=policy and POLICY_FILE instead.',
    );
  return true;
}

/** The directory in which a sample stores its large payloads. */
export const storageDir = (env: NodeJS.ProcessEnv): string => join(dataDir(env), 'payloads');

/** The file that lets the codec server read the directory. */
export const storageFile = (env: NodeJS.ProcessEnv): string => join(dataDir(env), 'storage.yaml');

/** The policy file that `pnpm dev` writes with DEV_AUTH=1. */
export const policyFile = (env: NodeJS.ProcessEnv): string => join(dataDir(env), 'policy.yaml');

function signIn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    AUTH: 'policy',
    POLICY_FILE: policyFile(env),
    DEV_AUTH_TOKEN_SECONDS: env['DEV_AUTH_TOKEN_SECONDS'] || '3600',
    DEV_AUTH_REFRESH_TOKENS: env['DEV_AUTH_REFRESH_TOKENS'] || 'true',
  };
}

/** Returns the folder that keeps Temporal's database and the emulator's keys between starts. */
export const dataDir = (env: NodeJS.ProcessEnv): string =>
  resolve(env['DEV_DATA_DIR'] || join(devDir, 'data'));

function localServices(env: NodeJS.ProcessEnv, ports: DevPorts): NodeJS.ProcessEnv {
  return {
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal.port}`,
    TEMPORAL_NAMESPACE: 'default',
    // Without this variable, @temporalio/envconfig reads the user's profile file.
    TEMPORAL_CONFIG_FILE: join(projectRoot, 'scripts', 'temporal.toml'),
    GCP_PROJECT: 'local-dev',
    GCP_KMS_LOCATION: 'global',
    GCP_KMS_KEY_RING: 'temporal-keys',
    GCP_KMS_KEY: 'workflow-encryption',
    // The samples use every format under one key.
    KMS_UNSAFE: 'direct-with-envelope',
    KMS_EMULATOR_HOST: `127.0.0.1:${ports.kms.port}`,
    CODEC_STORAGE_FILE: storageFile(env),
    // The dashboard reads the audit from a file.
    AUDIT_FILE: env['AUDIT_FILE'] || join(dataDir(env), 'audit.jsonl'),
    // Some samples fail repeatedly on purpose, and their warnings would hide the ready line.
    LOG_LEVEL: env['LOG_LEVEL'] || 'error',
  };
}

const hosts = (port: number): string[] => [`localhost:${port}`, `127.0.0.1:${port}`];
const origins = (port: number): string[] => hosts(port).map((host) => `http://${host}`);

/** Returns the arguments of the KMS emulator of `pnpm dev`. */
export function emulatorArguments(dataFile: string): string[] {
  const location = `projects/${required('GCP_PROJECT')}/locations/${required('GCP_KMS_LOCATION')}`;
  const key = `${location}/keyRings/${required('GCP_KMS_KEY_RING')}/cryptoKeys/${required('GCP_KMS_KEY')}`;
  const ports = ['--port', required('DEV_KMS_PORT'), '--control-port', required('DEV_KMS_CONTROL_PORT')];
  return [...ports, '--data-file', dataFile, '--key', key, '--rotation-period', '90d'];
}

/**
 * Returns a variable that `pnpm dev` sets for its tasks.
 *
 * @throws Error if `pnpm dev` did not start the task
 */
export function required(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set. \`pnpm dev\` sets it and starts this task.`);
  return value;
}

/** Returns a port from a variable that `pnpm dev` sets, as `required` does. */
export const requiredPort = (variable: string): number => Number(required(variable));
