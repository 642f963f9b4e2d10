import { parentPort, workerData } from 'node:worker_threads';
import { startEmulator } from '@temporal-kms/kms-emulator';

/** Runs the emulator in a thread, so that it responds while the test's thread is blocked. */
const keys: string[] = workerData;
const emulator = await startEmulator({ keys });
parentPort?.postMessage(emulator.address, []);
parentPort?.on('message', (latencyMs: number) => {
  emulator.setLatency({ all: latencyMs });
  parentPort?.postMessage('set', []);
});
