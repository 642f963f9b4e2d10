/*
 * Runs a worker of Temporal's Go SDK with Temporal's driver for S3, and with this server as its remote codec.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanReport } from '@temporal-kms/codec-api';
import { isStorageReference, ObjectStorage, readStorageFile } from '@temporal-kms/payload-storage';
import { findGo } from '@temporal-kms/scripts/go';
import { projectRoot } from '@temporal-kms/scripts/project';
import { startS3 } from '@temporal-kms/scripts/s3';
import { historyBytes, payloadsIn, readHistory } from '@temporal-kms/testing/history';
import { execa } from 'execa';
import { expect, it, vi } from 'vitest';
import { parsePayloads } from '../../src/json/payload-json.ts';
import { folderForFile, forFile } from '../support/for-file.ts';
import { bodyOf, post } from '../support/stack.ts';
import { history, NAMESPACE, plaintexts, startStack } from '../support/temporal.ts';

const BUILD_MS = 900_000;
const BUCKET = 'acme-payloads';
const SECRET = 'canary-60b3e7 ';
// The Go SDK also sends the workflow id in a header, which must be ASCII.
const WORKFLOW_ID = 'order/1 a';

it(
  'reads what Temporal’s Go driver for S3 stores, which is only messages',
  { timeout: BUILD_MS },
  async ({ skip }) => {
    const go = await findGo('the test with a Go worker is skipped');
    if (go === undefined) return skip('Go was not found');
    const program = await go.build(join(projectRoot, 'interop/go-worker'));
    const stack = forFile(await startStack());
    const s3 = forFile(await startS3([BUCKET]));
    const server = forFile(await stack.serve());

    const options = {
      temporal: stack.server.address,
      namespace: NAMESPACE,
      codec: `http://127.0.0.1:${server.port}`,
      s3: s3.url,
      bucket: BUCKET,
      'workflow-id': WORKFLOW_ID,
      text: SECRET,
    };
    const { stdout } = await execa(
      program,
      Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]),
      { env: { AWS_ACCESS_KEY_ID: s3.writer.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.writer.secretAccessKey } },
    );
    const text = SECRET.repeat(3_000_000 / SECRET.length);
    expect(JSON.parse(stdout)).toEqual({ isSame: true, length: text.length });

    const events = await readHistory(stack.connection, NAMESPACE, { workflowId: WORKFLOW_ID });
    expect(historyBytes({ events }).includes(SECRET)).toBe(false);
    const references = payloadsIn(events).filter(isStorageReference);
    // The references are the workflow's input, the activity's input and result, and the workflow's result.
    expect(references).toHaveLength(4);

    const reader = {
      AWS_ACCESS_KEY_ID: s3.reader.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.reader.secretAccessKey,
    };
    for (const [name, value] of Object.entries(reader)) vi.stubEnv(name, value);
    const file = join(await folderForFile(), 'storage.yaml');
    const store = { type: 's3', bucket: BUCKET, region: s3.region, endpoint: s3.url };
    await writeFile(file, `${JSON.stringify({ namespaces: { [NAMESPACE]: [store] } })}\n...\n`);
    const objects = forFile(new ObjectStorage(readStorageFile(file)));
    const signal = new AbortController().signal;
    for await (const { object } of objects.list(NAMESPACE, { signal }))
      expect(Buffer.from((await objects.read(object, { signal })).data!).includes(SECRET)).toBe(false);

    const app = stack.replica({ storage: { objects } });
    for (const path of ['/decode', '/download']) {
      const response = await post(app, path, bodyOf(references));
      const decoded = parsePayloads(Buffer.from(await response.arrayBuffer()), references.length);
      expect(decoded.map(({ data }) => Buffer.from(data!).toString() === JSON.stringify(text))).toEqual(
        references.map(() => true),
      );
    }

    const runId = events[0]!.workflowExecutionStartedEventAttributes!.originalExecutionRunId!;
    const run = { workflowId: WORKFLOW_ID, runId };
    const stubs = (await history(app, run)).flatMap(({ payloads }) =>
      payloads.filter(({ stored }) => stored),
    );
    expect(stubs.map(({ stored }) => stored)).toEqual(
      references.map(({ externalPayloads }) => ({
        driver: 'aws.s3driver',
        type: 's3',
        bucket: BUCKET,
        object: expect.stringMatching(
          /^v0\/ns\/payments\/wt\/keep\/wi\/order%2F1%20a\/ri\/[^/]+\/d\/sha256\/[0-9a-f]{64}$/,
        ),
        bytes: Number(externalPayloads![0]!.sizeBytes),
        readable: true,
      })),
    );
    const values = [...(await plaintexts(app, run, stubs)).values()];
    expect(values.map((value) => value === JSON.stringify(text))).toEqual(references.map(() => true));

    const temporalKms = async (command: string) => {
      const args = [command, '--namespace', NAMESPACE, '--external-storage', file, '--settle', '3', '--json'];
      const env = {
        ...reader,
        TEMPORAL_ADDRESS: stack.server.address,
        KMS_EMULATOR_HOST: stack.kms.emulator.address,
        GCP_PROJECT: 'test',
        GCP_KMS_KEY_RING: 'temporal-keys',
        GCP_KMS_KEY: 'payments',
      };
      const main = join(projectRoot, 'apps/key-admin/src/main.ts');
      const ran = await execa(process.execPath, [main, ...args], { env });
      return JSON.parse(ran.stdout);
    };
    const scanned = scanReport.parse(await temporalKms('scan')).namespaces[0]!;
    expect(scanned).toMatchObject({ complete: true, gaps: [], storage: { objects: 4, requests: 4 } });
    expect(scanned.keys).toEqual([expect.objectContaining({ version: 1, formats: { 'envelope-v2': 4 } })]);
    expect(await temporalKms('storage')).toMatchObject({ referred: { objects: 4 }, gone: [] });
  },
);
