import { join, resolve } from 'node:path';
import { devDir, projectRoot } from '../project.ts';
import type { DevPorts } from './ports.ts';

/** Variables that choose a Temporal, a Google project or keys, or our apps' settings: none of the user's is passed on. */
const choosing = /^(TEMPORAL_|GCP_|KMS_|GOOGLE_|GCLOUD_|CODEC_|WORKER_|AUTH)/;

/** A tool's place, not a destination. */
const harmless = new Set(['TEMPORAL_CLI_PATH']);

/**
 * The environment of everything that `dev` starts.
 *
 * Whatever the user exported or keeps in a profile file, sample data must never reach another Temporal or another KMS:
 * `dev` names its own, and only `DEV_REMOTE=1` lets the exported ones through.
 */
export function devEnvironment(env: NodeJS.ProcessEnv, ports: DevPorts): NodeJS.ProcessEnv {
  const remote = isRemote(env);
  const kept = Object.entries(env).filter(([name]) => remote || harmless.has(name) || !choosing.test(name));
  return {
    ...Object.fromEntries(kept),
    ...(!remote && local(env, ports)),
    ...Object.fromEntries(Object.values(ports).map(({ variable, port }) => [variable, String(port)])),
    DEV_DATA_DIR: dataDir(env),
    CODEC_HOST: '127.0.0.1',
    CODEC_PORT: String(ports.codec.port),
    // The dashboard's own requests come through Vite, which keeps the browser's Origin and may keep its Host.
    CODEC_CORS_ORIGINS: [...pages(ports.temporalUi.port), ...pages(ports.ui.port)].join(','),
    CODEC_ALLOWED_HOSTS: [...hosts(ports.codec.port), ...hosts(ports.ui.port)].join(','),
    WORKER_HEALTH_HOST: '127.0.0.1',
    WORKER_HEALTH_PORT: String(ports.worker.port),
    // One sample's activity waits for ever, and turbo kills what has not ended ten seconds after Ctrl-C.
    WORKER_SHUTDOWN_GRACE_SECONDS: '1',
    // Node keeps compiled (and type-stripped) modules: importing Google's and Temporal's clients is most of a start.
    NODE_COMPILE_CACHE: join(devDir, 'compile-cache'),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
  };
}

export const isRemote = (env: NodeJS.ProcessEnv): boolean => env['DEV_REMOTE'] === '1';

/** Where the Temporal database and the emulator's keys are kept between starts. */
export const dataDir = (env: NodeJS.ProcessEnv): string =>
  resolve(env['DEV_DATA_DIR'] || join(devDir, 'data'));

function local(env: NodeJS.ProcessEnv, ports: DevPorts): NodeJS.ProcessEnv {
  return {
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal.port}`,
    TEMPORAL_NAMESPACE: 'default',
    // Without it, @temporalio/envconfig reads the user's own profile file.
    TEMPORAL_CONFIG_FILE: join(projectRoot, 'scripts', 'temporal.toml'),
    GCP_PROJECT: 'local-dev',
    GCP_KMS_LOCATION: 'global',
    GCP_KMS_KEY_RING: 'temporal-keys',
    GCP_KMS_KEY: 'workflow-encryption',
    // The samples are in every format, under one key.
    KMS_UNSAFE: 'direct-with-envelope',
    KMS_EMULATOR_HOST: `127.0.0.1:${ports.kms.port}`,
    // The samples fail on purpose, over and over: their warnings would push the ready line off the screen.
    LOG_LEVEL: env['LOG_LEVEL'] || 'error',
  };
}

const hosts = (port: number): string[] => [`localhost:${port}`, `127.0.0.1:${port}`];
const pages = (port: number): string[] => hosts(port).map((host) => `http://${host}`);
