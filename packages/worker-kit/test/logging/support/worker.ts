/** A worker with the plugin, and with the SDK's default logger unless `LOGGER=safe`. */
import { NativeConnection, Runtime, Worker, type InjectedSinks } from '@temporalio/worker';
import type { PayloadCodec } from '@temporalio/common';
import { OperationError, serviceHandler } from 'nexus-rpc';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin } from '../../../src/index.ts';
import { catchFatalErrors, createSafeLogger, safeRuntimeOptions } from '../../../src/logging.ts';
import { activities } from './activities.ts';
import { vault } from './service.ts';
import type { Ledger } from './workflows.ts';

if (process.env['LOGGER'] === 'safe') {
  const logger = createSafeLogger({ level: 'TRACE' });
  catchFatalErrors(logger);
  Runtime.install(safeRuntimeOptions({ logger, coreLevel: 'TRACE' }));
}

const sinks: InjectedSinks<Ledger> = {
  ledger: {
    note: {
      fn: (_info, text) => {
        throw new Error(`no room for ${text}`);
      },
    },
  },
};
/**
 * Turns the input of the activity `garble` into invalid JSON, so that the converter's error message quotes
 * the input.
 */
const garbling: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  decode: (payloads, context) =>
    Promise.resolve(
      payloads.map((payload) =>
        context?.type === 'activity' && context.activityId !== undefined && garbled(payload.data)
          ? { ...payload, data: payload.data?.subarray(1) ?? null }
          : payload,
      ),
    ),
};
const garbled = (data: Uint8Array | null | undefined) =>
  Buffer.from(data ?? [])
    .toString()
    .startsWith('"garble');

const codec = loadKmsCodec();
const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
const worker = await Worker.create({
  plugins: [new KmsWorkerPlugin(codec)],
  dataConverter: { payloadCodecs: [garbling] },
  connection,
  taskQueue: process.env['TASK_QUEUE'] ?? '',
  workflowBundle: { codePath: process.env['WORKFLOW_BUNDLE'] ?? '' },
  activities,
  sinks,
  nexusServices: [
    serviceHandler(vault, {
      open: (_context, secret) =>
        Promise.reject(new OperationError('failed', `closed to ${secret}`, { cause: new Error(secret) })),
    }),
  ],
});
await worker.run();
await connection.close();
await codec.close();
