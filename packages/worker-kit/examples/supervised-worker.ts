import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin, runWorker } from '@temporal-kms/worker-kit';
import {
  catchFatalErrors,
  createSafeLogger,
  outageObserver,
  safeRuntimeOptions,
  writeLine,
} from '@temporal-kms/worker-kit/logging';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities.ts';

const logger = createSafeLogger(); // writes lines of JSON to standard error
Runtime.install({ ...safeRuntimeOptions({ logger }), shutdownSignals: [] }); // runWorker handles the signals
catchFatalErrors(logger);

const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
const codec = loadKmsCodec({ namespace, observer: outageObserver(writeLine) });

const worker = runWorker({
  codec,
  namespace,
  connect: () => NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' }),
  createWorker: (connection) =>
    Worker.create({
      plugins: [new KmsWorkerPlugin(codec)],
      connection,
      namespace,
      taskQueue: 'orders',
      workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
      activities,
      shutdownGraceTime: '10 seconds',
      shutdownForceTime: '20 seconds',
    }),
});

createServer((request, response) => {
  const readiness = worker.readiness();
  const isReady = request.url !== '/readyz' || readiness.status !== 'not_ready';
  response.writeHead(isReady ? 200 : 503).end(JSON.stringify(readiness));
}).listen(Number(process.env['HEALTH_PORT'] ?? 8089), '127.0.0.1');
