// This process completes an activity: node complete-activity.ts ADDRESS TOKEN RESULT. The process needs the
// codec's environment variables.
import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';

const [address = '', token = '', result] = process.argv.slice(2);
const codec = loadKmsCodec();
const connection = await Connection.connect({ address });
const client = new Client({ connection, plugins: [new KmsCodecPlugin(codec)] });
await client.activity.complete(Buffer.from(token, 'base64'), result);
await connection.close();
await codec.close();
