import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { buildBundle, KEY, startBundle } from './support/bundle.ts';
import { range } from '@temporal-kms/scripts/figures';

/* Measures the time from the start of the process to the first response of /readyz, and the memory at that point. */

const ROUNDS = 5;

const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
try {
  const bundle = await buildBundle(directory);
  const ready: number[] = [];
  const resident: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const server = await startBundle(bundle, directory, { KMS_EMULATOR_HOST: emulator.address });
    ready.push((performance.now() - start) / 1_000);
    resident.push((await server.memory()).now);
    await server.stop();
  }
  console.log(`Ready after ${range(ready, 2)} s (min / median / max of ${ROUNDS} starts)`);
  console.log(`Resident memory ${range(resident)} MiB`);
} finally {
  await emulator.close();
  await rm(directory, { recursive: true });
}
