/** `pnpm dev`'s task `dev:shop`: fills a namespace with the orders of a shop that released a bad build. */
import { loadConfigOrExit, loadTemporalConfig, workerEnvironment } from '@temporal-kms/config';
import { createKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { shopOrders } from './orders.ts';

const { kms, logLevel } = loadConfigOrExit(workerEnvironment);
const { connectionOptions, namespace } = loadTemporalConfig();
const connection = await Connection.connect(connectionOptions);
const { count } = await new Client({ connection, namespace }).workflow.count("WorkflowType = 'webOrder'");
if (count < shopOrders.length) {
  // Loads the slow worker module only if orders are missing.
  const { NativeConnection } = await import('@temporalio/worker');
  const { createLog, installRuntime } = await import('../log.ts');
  const { runShop } = await import('./run-shop.ts');
  installRuntime(createLog(logLevel));
  const codec = createKmsCodec(kms, { namespace });
  const native = await NativeConnection.connect(connectionOptions);
  await runShop({ connection, native, namespace, codec });
  await native.close();
  await codec.close();
}
await connection.close();
