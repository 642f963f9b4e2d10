import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './bundle.ts';

/**
 * Starts Temporal, the KMS emulator and the codec server from its bundle, and a codec that compresses, whose payloads the server reads.
 * @param bundle the main module of a bundle that was built before; absent: builds one
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
