import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './bundle.ts';

/**
 * Starts Temporal, the KMS emulator and the codec server's bundle, and creates a compressing codec whose
 * payloads the server can read.
 * @param bundle the main module of an existing bundle. By default, builds a bundle
 */
export async function startStack(bundle?: string) {
  const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
  const emulator = await startEmulator({ keys: [KEY] });
  const temporal = await startTemporal({ namespaces: [NAMESPACE] });
  const server = await startBundle(
    bundle ?? (await buildBundle(directory)),
    directory,
    {
      KMS_EMULATOR_HOST: emulator.address,
      TEMPORAL_ADDRESS: temporal.address,
      AUDIT_FILE: join(directory, 'audit.jsonl'),
    },
    { anyCore: true },
  );
  const codec = benchCodec(emulator.address, 'zstd');
  return {
    temporal,
    server,
    codec,
    async close(): Promise<void> {
      await server.stop();
      await codec.close();
      await temporal.close();
      await emulator.close();
      await rm(directory, { recursive: true });
    },
  };
}
