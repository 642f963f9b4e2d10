import { join } from 'node:path';
import { build } from 'tsdown';
import { freePort, type Measured, startMeasured } from './measured.ts';

export const NAMESPACE = 'bench';
export const KEY = 'projects/bench/locations/global/keyRings/bench/cryptoKeys/bench';

/** The artefact as it is deployed: one file, in a directory of its own. */
export async function buildBundle(directory: string): Promise<string> {
  const root = join(import.meta.dirname, '..', '..');
  await build({ cwd: root, config: join(root, 'tsdown.config.ts'), outDir: directory, logLevel: 'silent' });
  return join(directory, 'main.mjs');
}

/** Starts our server from its bundle on a free port, on its core. */
export async function startBundle(
  bundle: string,
  directory: string,
  env: Readonly<Record<string, string>>,
  nodeOptions: readonly string[] = [],
): Promise<Measured> {
  const port = await freePort();
  return startMeasured([process.execPath, ...nodeOptions, bundle], {
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
  });
}
