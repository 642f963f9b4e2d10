/**
 * A worker process whose activities can end the worker, block the event loop or never return. The process's
 * HTTP server responds only to `/readyz`.
 */
import { createServer } from 'node:http';
import { NativeConnection } from '@temporalio/worker';
import { superviseProcess, supervisorTimes } from '../../../src/run-worker/supervise-process.ts';
import { writeLine } from '../../../src/logging.ts';
import { BreakableCodec } from './activities.ts';
import { createWorker, installRuntime, noKeys } from './worker.ts';

installRuntime(writeLine);
const codec = new BreakableCodec();
codec.blockMs = Number(process.env['BLOCK_MS'] ?? 0);
const workflowBundle = { codePath: process.env['WORKFLOW_BUNDLE'] ?? '' };
const worker = superviseProcess(
  {
    codec: noKeys,
    namespace: 'default',
    connect: () => NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' }),
    createWorker: (connection) => {
      codec.isBroken = false;
      return createWorker(connection, codec, {
        workflowBundle,
        shutdownGraceTime: 500,
        shutdownForceTime: 1_000,
      });
    },
    stopMs: 2_000,
  },
  { ...supervisorTimes, settleMs: 3_000, firstDelayMs: 20, maxDelayMs: 50 },
);
const server = createServer((_request, response) => {
  const readiness = worker.readiness();
  response.writeHead(readiness.status === 'not_ready' ? 503 : 200).end(JSON.stringify(readiness));
}).listen(0, '127.0.0.1', () =>
  writeLine({ level: 'INFO', message: 'Listening', fields: { address: server.address() } }),
);
