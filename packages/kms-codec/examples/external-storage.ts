import { S3Client } from '@aws-sdk/client-s3';
import { ciphertextOnly, KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { Client, Connection } from '@temporalio/client';
import { ExternalStorage } from '@temporalio/common';
import { S3StorageDriver } from '@temporalio/external-storage-s3';
import { AwsSdkS3StorageDriverClient } from '@temporalio/external-storage-s3-aws-sdk';
import { order } from './workflows.ts';

const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' });
const s3 = new AwsSdkS3StorageDriverClient(new S3Client());
const driver = new S3StorageDriver({ client: s3, bucket: 'acme-payloads' });

const codec = loadKmsCodec();
const dataConverter = { externalStorage: new ExternalStorage({ drivers: [ciphertextOnly(driver, codec)] }) };
const client = new Client({ plugins: [new KmsCodecPlugin(codec)], dataConverter, connection, namespace });

const cards = 'card 4111 '.repeat(300_000);
await client.workflow.start(order, { taskQueue: 'orders', workflowId: 'order-2', args: [cards] });
await connection.close();
await codec.close();
