import { basename, join } from 'node:path';
import { createKmsCodec, KeyRules, type KmsCodec } from '@temporal-kms/kms-codec';
import { freePorts } from '@temporal-kms/scripts/ports';
import { build } from 'tsdown';
import configs from '../../tsdown.config.ts';
import { type Measured, startMeasured } from './measured.ts';

export const NAMESPACE = 'bench';
export const KEY = 'projects/bench/locations/global/keyRings/bench/cryptoKeys/bench';

/** Returns a codec that encrypts a benchmark's payloads as a worker in the namespace would. */
export const benchCodec = (emulatorHost: string, compression?: 'zstd'): KmsCodec =>
  createKmsCodec({
    rules: new KeyRules({ [NAMESPACE]: { encrypt: KEY } }),
    emulatorHost,
    format: undefined,
    compression,
    bindWorkflow: false,
  });

const root = join(import.meta.dirname, '..', '..');

/**
 * Builds the bundle for deployment, in a folder named after its main module, and returns the path of
 * `main.mjs`.
 * @param entry another main module to build with the same configuration
 */
export async function buildBundle(directory: string, entry = 'src/main.ts'): Promise<string> {
  const [main, ...threads] = configs;
  const outDir = join(directory, basename(entry, '.ts'));
  for (const config of [{ ...main, entry: { app: entry } }, ...threads])
    await build({ ...config, config: false, cwd: root, outDir, clean: false, logLevel: 'silent' });
  return join(outDir, 'main.mjs');
}

export interface BundleOptions {
  /** Default: a free port. */
  readonly port?: number;
  readonly piped?: boolean;
  readonly anyCore?: boolean;
}

/** Starts the codec server from its bundle, on the CPU core that is reserved for servers. */
export async function startBundle(
  bundle: string,
  directory: string,
  env: Readonly<Record<string, string>>,
  options: BundleOptions = {},
): Promise<Measured> {
  const [free = 0] = await freePorts(1);
  const port = options.port ?? free;
  return startMeasured([process.execPath, bundle], {
    cwd: directory,
    env: {
      GCP_PROJECT: 'bench',
      GCP_KMS_KEY_RING: 'bench',
      GCP_KMS_KEY: 'bench',
      TEMPORAL_NAMESPACE: NAMESPACE,
      CODEC_PORT: String(port),
      ...env,
    },
    port,
    output: join(directory, `server-${port}.log`),
    piped: options.piped ?? false,
    anyCore: options.anyCore ?? false,
  });
}
