/**
 * The task `dev:shop` of `pnpm dev`. Fills a namespace with the orders of a shop that released a bad build,
 * and runs a workflow with payloads in external storage. Called as `shop/main.ts PATH BUCKET`. PATH is
 * the storage's directory, and BUCKET is the name that references use for the storage.
 */
import { loadConfigOrExit, loadTemporalConfig, workerEnvironment } from '@temporal-kms/config';
import { createKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { shopOrders } from './orders.ts';

const { kms, logLevel } = loadConfigOrExit(workerEnvironment);
const { connectionOptions, namespace } = loadTemporalConfig();
const connection = await Connection.connect(connectionOptions);
const { count } = await new Client({ connection, namespace }).workflow.count("WorkflowType = 'webOrder'");
if (count < shopOrders.length) {
  // The worker's module takes a long time to load, so it is loaded only if orders are missing.
  const { NativeConnection } = await import('@temporalio/worker');
  const { createLog, installRuntime } = await import('../log.ts');
  const { runPriceList } = await import('./run-price-list.ts');
  const { runShop } = await import('./run-shop.ts');
  installRuntime(createLog(logLevel));
  const codec = createKmsCodec(kms, { namespace });
  const native = await NativeConnection.connect(connectionOptions);
  const [path = '', bucket = ''] = process.argv.slice(2);
  await runPriceList({ connection, native, codec, storage: { path, bucket } });
  await runShop({ connection, native, namespace, codec });
  await native.close();
  await codec.close();
}
await connection.close();
