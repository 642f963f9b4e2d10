/** Task `temporal:dev`: a real Temporal server with its Web UI, whose codec server is ours. */
import { join } from 'node:path';
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
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true;
    void server.close();
  });
}
await server.exited;
if (!stopping) {
  console.error(`The Temporal server ended by itself. ${server.tail()}`);
  process.exitCode = 1;
}
