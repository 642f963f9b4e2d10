/** Task `temporal:dev`: a real Temporal server with its Web UI, whose codec server is ours. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPortTaken } from '../ports.ts';
import { startTemporal } from '../temporal.ts';
import { required, requiredPort } from './required.ts';

const server = await startTemporal({
  port: requiredPort('DEV_TEMPORAL_PORT'),
  uiPort: requiredPort('DEV_TEMPORAL_UI_PORT'),
  dbFile: join(required('DEV_DATA_DIR'), 'temporal.db'),
  codecEndpoint: `http://127.0.0.1:${requiredPort('DEV_CODEC_PORT')}`,
});
console.log(`Temporal serves ${server.address}, its Web UI ${server.uiUrl}`);

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());

/** Everybody is told to stop at once, but the worker's orderly end needs a server: it goes first. */
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  const worker = requiredPort('DEV_WORKER_PORT');
  for (let waited = 0; waited < 5_000 && (await isPortTaken(worker)); waited += 100) await sleep(100);
  await server.close();
}

await server.exited;
if (!stopping) {
  console.error(`The Temporal server ended by itself. ${server.tail()}`);
  process.exitCode = 1;
}
