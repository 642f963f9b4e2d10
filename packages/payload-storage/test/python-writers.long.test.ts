/* Tests workers of Temporal's Python SDK with Temporal's own drivers and this project's codec. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boto3Folder } from '@temporal-kms/scripts/s3';
import { findPython, runScript } from '@temporal-kms/testing/python';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  bucket,
  cryptoKey,
  expectStored,
  namespace,
  secret,
  startStores,
  type Stores,
  text,
} from './support/writers.ts';

let python: string;
let keysFile: string;
let stores: Stores;
beforeAll(async () => {
  python = await findPython();
  stores = await startStores();
  const folder = await mkdtemp(join(tmpdir(), 'python-writers-'));
  stores.closers.defer(() => rm(folder, { recursive: true }));
  keysFile = join(folder, 'keys.yaml');
  const rule = { encrypt: cryptoKey, plaintext: 'refuse' };
  await writeFile(keysFile, `${JSON.stringify({ namespaces: { [namespace]: rule } })}\n...\n`);
}, 600_000);
afterAll(() => stores?.close());

it.each(['s3', 'gcs'] as const)(
  'Temporal’s Python driver for %s stores only encrypted payloads that are bound to their workflow and that this package can read',
  async (type) => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', stores.s3.writer.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', stores.s3.writer.secretAccessKey);
    const workflowId = `order/1 ü ${type}`;
    const options = {
      emulator: stores.emulator.address,
      'keys-file': keysFile,
      temporal: stores.address,
      namespace,
      store: type,
      endpoint: stores[type].url,
      bucket,
      boto3: boto3Folder,
      'workflow-id': workflowId,
      text: secret,
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const output = await runScript(python, ['-m', 'temporal_kms_peers.storing_worker', ...args]);
    expect(JSON.parse(output)).toEqual({ isSame: true, length: text.length });
    const client = new Client({ connection: stores.connection, namespace });
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    await expectStored(stores, type, workflowId, history);
  },
  120_000,
);
