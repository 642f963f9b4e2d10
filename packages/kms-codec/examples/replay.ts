import { fileURLToPath } from 'node:url';
import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';

const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' });
const history = await new Client({ connection, namespace }).workflow.getHandle('order-1').fetchHistory();

const codec = loadKmsCodec({ namespace });
await Worker.runReplayHistory(
  {
    plugins: [new KmsCodecPlugin(codec)],
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  },
  history,
);
console.log('replayed');
await connection.close();
await codec.close();
