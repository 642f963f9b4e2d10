import { basename, join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { build } from 'tsdown';
import configs from '../../tsdown.config.ts';
import { type Measured, startMeasured } from './measured.ts';

export const NAMESPACE = 'bench';
export const KEY = 'projects/bench/locations/global/keyRings/bench/cryptoKeys/bench';

/**
 * For a server within 256 MiB (docs/operations.md). V8 sizes the young space by the machine's memory, and marks without
 * end while what is left of the old space is less than that.
 */
export const SMALL_HEAP = ['--max-old-space-size=96', '--max-semi-space-size=8'] as const;

const root = join(import.meta.dirname, '..', '..');

/**
 * Files that run alone, as they are deployed.
 * @param entry another main module for the same configuration
 */
export async function buildBundle(directory: string, entry = 'src/main.ts'): Promise<string> {
  const [main, ...threads] = configs;
  for (const config of [{ ...main, entry }, ...threads])
    await build({ ...config, config: false, cwd: root, outDir: directory, clean: false, logLevel: 'silent' });
  return join(directory, `${basename(entry, '.ts')}.mjs`);
}

export interface BundleOptions {
  /** A free one unless told. */
  readonly port?: number;
  readonly nodeOptions?: readonly string[];
  readonly piped?: boolean;
  readonly anyCore?: boolean;
}

/** Starts our server from its bundle, on its core. */
export async function startBundle(
  bundle: string,
  directory: string,
  env: Readonly<Record<string, string>>,
  options: BundleOptions = {},
): Promise<Measured> {
  const [free = 0] = await freePorts(1);
  const port = options.port ?? free;
  return startMeasured([process.execPath, ...(options.nodeOptions ?? []), bundle], {
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
