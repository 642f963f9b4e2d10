import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { order } from './workflows.ts';

const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' });

const codec = loadKmsCodec();
const client = new Client({ plugins: [new KmsCodecPlugin(codec)], connection, namespace });

const result = await client.workflow.execute(order, {
  taskQueue: 'orders',
  workflowId: 'order-1',
  args: ['card 4111'],
});
console.log(result);
await connection.close();
await codec.close();
