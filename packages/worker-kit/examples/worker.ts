import { fileURLToPath } from 'node:url';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin } from '@temporal-kms/worker-kit';
import { catchFatalErrors, createSafeLogger, safeRuntimeOptions } from '@temporal-kms/worker-kit/logging';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities.ts';

const logger = createSafeLogger();
Runtime.install(safeRuntimeOptions({ logger }));
catchFatalErrors(logger); // otherwise, Node would print an uncaught error's message and stack

const codec = loadKmsCodec();
const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
await codec.warm(namespace);

const connection = await NativeConnection.connect({
  address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233',
});
const worker = await Worker.create({
  plugins: [new KmsWorkerPlugin(codec)],
  connection,
  namespace,
  taskQueue: 'orders',
  workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  activities,
});
await worker.run();
await connection.close();
await codec.close();
