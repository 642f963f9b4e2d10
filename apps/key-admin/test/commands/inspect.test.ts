import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventPayloads, payloadToJson, workflowContext } from '@temporal-kms/histories/payloads';
import { MAX_FILE_BYTES } from '@temporal-kms/histories/files';
import { cryptoKeyId, headerTags, messageHeader } from '@temporal-kms/kms-codec';
import { startGcs } from '@temporal-kms/scripts/gcs';
import { ObjectStorage } from '@temporal-kms/payload-storage';
import { leaksIn } from '@temporal-kms/testing/canaries';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { describe, expect, it, vi } from 'vitest';
import {
  afterwards,
  type Cloud,
  KEY,
  keysFile,
  rotate,
  startCloud,
  temporalKms,
  temporaryFile,
  temporaryFolder,
  WORKER,
} from '../support/cli.ts';
import {
  cliShow,
  cloudExport,
  encodedJson,
  NAMESPACE,
  type Run,
  SECRET,
  useHistories,
} from '../support/histories.ts';
import { KEY as MESSAGE_KEY, payloadOf } from '../support/messages.ts';
import { BUCKET, referenceTo, startStore } from '../support/stored.ts';

const histories = useHistories();

let runs = 0;

/**
 * Starts a run with two payloads under key version 1, which are bound to the workflow, a compressed payload under
 * version 2, and a plaintext signal.
 */
async function twoVersions(): Promise<{ cloud: Cloud; run: Run }> {
  const cloud = await startCloud();
  await cloud.grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  const run = await histories.start(`order-${(runs += 1)}`, cloud.as(WORKER), { bind: true });
  await rotate(cloud);
  await histories.signal(run, { ...cloud.as(WORKER), KMS_COMPRESSION: 'zstd' }, { text: SECRET.repeat(200) });
  await histories.temporal.connection.workflowService.signalWorkflowExecution({
    namespace: NAMESPACE,
    workflowExecution: run,
    signalName: 'plain',
    input: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"open"') }] },
  });
  return { cloud, run };
}

/** Returns the run's input, which is encrypted under version 1. */
async function firstPayload({ workflowId, runId }: Run) {
  const [started] = await histories.events({ workflowId, runId });
  return eventPayloads(started!, workflowContext({ namespace: NAMESPACE, workflowId }))[0]!.payload;
}

const known = ['--namespace', NAMESPACE, '--key', KEY];
const inspect = (args: readonly string[], input?: string | Uint8Array) =>
  temporalKms(['inspect', '--json', ...args], input === undefined ? {} : { input });

describe('temporal-kms inspect with a history', () => {
  it('counts payloads by state, format and key version, and states where plaintext is, for every form of the input', async () => {
    const { run } = await twoVersions();
    const events = await histories.events(run);
    const files = {
      'history.json': await cliShow(histories, run, 'json'),
      'history.jsonl': await cliShow(histories, run, 'jsonl'),
      'web-ui.json': encodedJson(events),
      'export.proto': cloudExport([events, events]),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(await temporaryFolder(), name);
      await writeFile(path, content);
      const { code, out, json } = await inspect([path, ...known, '--payloads']);
      expect([name, code]).toEqual([name, 0]);
      expect(leaksIn(out, [SECRET])).toEqual([]);
      const { workflows } = json();
      expect(workflows).toHaveLength(name === 'export.proto' ? 2 : 1);
      const id = cryptoKeyId(KEY);
      expect(workflows[0]).toMatchObject({
        workflowId: run.workflowId,
        type: 'order',
        summary: [
          {
            state: 'encrypted',
            format: 'envelope-v2',
            key: { name: KEY, id, version: 1 },
            payloads: 2,
            firstEvent: 1,
          },
          { state: 'encrypted', format: 'envelope-v2', key: { name: KEY, id, version: 2 }, payloads: 1 },
          { state: 'plaintext', format: 'plain', payloads: 1 },
        ],
        branchKeys: [
          { wrappedKeyHash: expect.stringMatching(/^[0-9a-f]{64}$/), payloads: 2, firstEvent: 1 },
          { payloads: 1 },
        ],
        plaintext: [{ path: 'input.payloads[0]', encoding: 'json/plain', bytes: 6 }],
      });
      const [first, , third] = workflows[0].list;
      expect(first).toMatchObject({
        ref: '1:0',
        path: 'input.payloads[0]',
        namespace: { name: NAMESPACE, tag: headerTags.namespace(NAMESPACE) },
        workflow: { id: run.workflowId, tag: headerTags.workflow(NAMESPACE, run.workflowId) },
      });
      expect(third).toMatchObject({ compressed: 'zstd', layers: ['envelope-v2', 'zstd'] });
      expect(third).not.toHaveProperty('workflow');
    }
  });

  it('prints a table for people, without the names of unknown keys or namespaces', async () => {
    const { run } = await twoVersions();
    const { code, out } = await temporalKms(['inspect', '-'], {
      input: await cliShow(histories, run, 'json'),
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^ {2}encrypted +envelope-v2 +2 +\d+ +1 +1 +key id [0-9a-f]{16}$/m);
    expect(out).toMatch(/^ {2}[0-9a-f]{64} +2 +1$/m);
    expect(out).toMatch(/^ {2}in plaintext: \d+:0 input\.payloads\[0\] \(json\/plain, 6 bytes\)$/m);
    const { out: payload } = await temporalKms(['inspect'], {
      input: JSON.stringify(payloadToJson(await firstPayload(run))),
    });
    expect(payload).toMatch(
      /^namespace +bound to a namespace whose name is unknown here \(tag [0-9a-f]{32}\)$/m,
    );
  });

  it('takes keys and namespaces from an application’s configuration', async () => {
    const { cloud, run } = await twoVersions();
    const file = await keysFile({ [NAMESPACE]: { encrypt: KEY } });
    const { json } = await temporalKms(['inspect', '--json'], {
      env: { KMS_EMULATOR_HOST: cloud.as(WORKER)['KMS_EMULATOR_HOST'], KMS_KEYS_FILE: file },
      input: await cliShow(histories, run, 'json'),
    });
    expect(json().workflows[0].summary[0].key.name).toBe(KEY);
  });

  it('reads a Cloud Storage object', async () => {
    const { run } = await twoVersions();
    const gcs = await startGcs();
    afterwards(() => gcs.close());
    await gcs.createBucket('exports');
    const upload = await fetch(`${gcs.url}/upload/storage/v1/b/exports/o?uploadType=media&name=day/1.proto`, {
      method: 'POST',
      body: new Uint8Array(cloudExport([await histories.events(run)])),
    });
    expect(upload.ok).toBe(true);
    vi.stubEnv('STORAGE_EMULATOR_HOST', `${gcs.url}/storage/v1`);
    afterwards(() => vi.unstubAllEnvs());
    const { code, json } = await inspect(['gs://exports/day/1.proto']);
    expect([code, json().workflows[0].workflowId]).toEqual([0, run.workflowId]);
    expect(await inspect(['gs://exports/none'])).toMatchObject({ code: 66 });
    expect(await inspect(['gs://exports'])).toMatchObject({ code: 64 });
  });
});

describe('temporal-kms inspect with a payload', () => {
  it('recognizes a payload in JSON, in protobuf, in base64 or as bare data', async () => {
    const { run } = await twoVersions();
    const payload = await firstPayload(run);
    const { Payload: PayloadMessage, Payloads: PayloadsMessage } = proto.temporal.api.common.v1;
    const bytes = PayloadMessage.encode(payload).finish();
    const forms: [string, string | Uint8Array][] = [
      ['json', JSON.stringify(payloadToJson(payload))],
      ['json', JSON.stringify({ payloads: [payloadToJson(payload)] }, null, 2)],
      ['protobuf', bytes],
      ['protobuf', PayloadsMessage.encode({ payloads: [payload] }).finish()],
      ['base64', Buffer.from(bytes).toString('base64')],
      ['base64', Buffer.from(JSON.stringify(payloadToJson(payload))).toString('base64')],
      ['base64', `${Buffer.from(payload.data!).toString('base64')}\n`],
    ];
    for (const [form, input] of forms) {
      for (const args of [[], ['--format', form]]) {
        const { code, json } = await inspect([...known, '--workflow-id', run.workflowId, ...args], input);
        expect([form, args, code]).toEqual([form, args, 0]);
        expect(json().payloads).toEqual([
          {
            state: 'encrypted',
            format: 'envelope-v2',
            formatVersion: 2,
            encoding: 'binary/envelope-kms-v2',
            layers: ['envelope-v2'],
            key: { name: KEY, id: cryptoKeyId(KEY), version: 1 },
            namespace: { tag: headerTags.namespace(NAMESPACE), name: NAMESPACE },
            wrappedKeyHash: messageHeader(payload.data!).wrappedKeyHash,
            workflow: { tag: headerTags.workflow(NAMESPACE, run.workflowId), id: run.workflowId },
            bytes: payload.data!.length,
            headerBytes: expect.any(Number),
          },
        ]);
      }
    }
  });

  it.each<[string, Payload, object]>([
    [
      'the format envelope with a key',
      {
        metadata: meta('binary/envelope-kms', { 'kms-key': KEY, 'encrypted-dek': 'x' }),
        data: Buffer.alloc(40),
      },
      { state: 'encrypted', format: 'envelope', key: { name: KEY } },
    ],
    [
      'the format direct without a key',
      { metadata: meta('binary/gcp-kms'), data: Buffer.alloc(40) },
      { state: 'encrypted', format: 'direct' },
    ],
    [
      'temporal-proxy, compressed',
      { metadata: meta('binary/compressed', { 'compression-algorithm': 'zstd' }), data: Buffer.alloc(40) },
      { state: 'foreign', format: 'plain', compressed: 'zstd', layers: ['zstd (temporal-proxy)'] },
    ],
    [
      "a sample of Temporal's SDKs",
      { metadata: meta('binary/encrypted', { 'encryption-key-id': 'test-key' }), data: Buffer.alloc(40) },
      { state: 'encrypted', format: 'static', key: { static: 'test-key' } },
    ],
    [
      'another codec',
      { metadata: meta('binary/rot13'), data: Buffer.from('x') },
      { state: 'foreign', format: 'plain' },
    ],
    [
      'external storage',
      { metadata: meta('json/external-storage-reference'), data: Buffer.from('{}') },
      { state: 'reference', format: 'external' },
    ],
    ['nothing', { metadata: meta('binary/null') }, { state: 'empty', format: 'plain' }],
    [
      'plaintext',
      { metadata: meta('json/plain'), data: Buffer.from('1') },
      { state: 'plaintext', format: 'plain' },
    ],
    [
      'an export that could not decrypt',
      { metadata: meta('binary/unreadable', { reason: 'key_destroyed', key: KEY, 'key-version': '3' }) },
      { state: 'unreadable', reason: 'key_destroyed', key: { name: KEY, version: 3 } },
    ],
  ])('describes a payload: %s', async (_, payload, expected) => {
    const { code, json } = await inspect([], JSON.stringify(payloadToJson(payload)));
    expect(code).toBe(0);
    expect(json().payloads[0]).toMatchObject(expected);
  });

  it.each<[string, Buffer, string]>([
    ['a truncated header', Buffer.from([2, 0, 1]), 'malformed'],
    ['an unknown version', Buffer.alloc(200, 3), 'unsupported_version'],
    ['an unknown flag', Buffer.from([2, 0x80, ...Buffer.alloc(200)]), 'unsupported_version'],
  ])('exits with 1 for a message with %s', async (_, data, reason) => {
    const payload = { metadata: meta('binary/envelope-kms-v2'), data };
    const { code, json } = await inspect([], JSON.stringify(payloadToJson(payload)));
    expect([code, json().payloads[0]]).toMatchObject([1, { state: 'damaged', reason }]);
  });

  it('does not write control characters from a payload to a terminal', async () => {
    const payload = { metadata: meta('binary/\u001b[31mred\u202e'), data: Buffer.from('x') };
    const { out } = await temporalKms(['inspect'], { input: JSON.stringify(payloadToJson(payload)) });
    expect(out).not.toMatch(/[^\n\x20-\x7e]/);
    const started = {
      eventId: '1',
      workflowExecutionStartedEventAttributes: {
        workflowId: 'order\u001b[31m',
        originalExecutionRunId: 'run\u009b1m',
        workflowType: { name: 'type\u202e' },
        memo: { fields: { 'key\u009b1m': payloadToJson(payload) } },
      },
    };
    const history = await temporalKms(['inspect'], { input: JSON.stringify({ events: [started] }) });
    expect(history.out).toContain('order');
    expect(history.out).not.toMatch(/[^\n\x20-\x7e]/);
  });
});

describe('temporal-kms inspect with any other input', () => {
  it.each<[string, string | Uint8Array, string[]]>([
    ['nothing', '', []],
    ['text', 'hello, world', []],
    ['JSON of something else', '{"a": 1}', []],
    ['random bytes', Buffer.from([0xff, 0, 1, 2, 3, 0xfe]), []],
    ['a history that ends early', '{"events":[{"eventId":"1"', []],
    ['a history with a gap', '{"events":[{"eventId":"1"},{"eventId":"3"}]}', []],
    ['an event that is not what Temporal writes', '{"events":[{"eventId":"1","eventTime":7}]}', []],
    [
      'an event that nests 5,000 levels',
      `{"events":[{"eventId":"1","x":${'['.repeat(5_000)}${']'.repeat(5_000)}}]}`,
      [],
    ],
    ['an archive', Buffer.from([0x1f, 0x8b, 8, 0]), []],
    ['a payload, read as a history', '{"metadata":{},"data":""}', ['--format', 'history']],
    ['a history, read as base64', '{"events":[]}', ['--format', 'base64']],
  ])('exits with 65 for %s', async (_, input, args) => {
    const { code, json } = await inspect(args, input);
    expect(code).toBe(65);
    expect(json().error.exit).toBe('data');
  });

  it('refuses a file above the size limit', async () => {
    const path = await temporaryFile('large.json', '[');
    await truncate(path, MAX_FILE_BYTES + 1);
    const { code, json } = await inspect([path]);
    expect(code).toBe(65);
    expect(json().error.message).toContain('256 MiB');
  });

  it('exits with 66 for a file that does not exist, and with 64 at a terminal if no file is given', async () => {
    expect(await inspect(['/does/not/exist.json'])).toMatchObject({ code: 66 });
    expect(await temporalKms(['inspect'], { answer: '' })).toMatchObject({ code: 64 });
  });
});

function meta(encoding: string, more: Record<string, string> = {}): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries({ encoding, ...more }).map(([name, value]) => [name, Buffer.from(value)]),
  );
}

describe('temporal-kms inspect --external-storage', () => {
  it('describes the payloads in objects, and states why an object cannot be read', async () => {
    const store = await startStore(NAMESPACE);
    const { metadata, data } = payloadOf({ version: 7, named: true });
    const large: Payload = { metadata: metadata!, data: Buffer.concat([data!, Buffer.alloc(30_000)]) };
    const object = await store.store(large);
    const plain = await store.store({
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from(JSON.stringify(SECRET)),
    });
    const gone = await store.store(payloadOf({ version: 8, named: true }));
    await store.remove(gone);
    const elsewhere = referenceTo({ ...object, object: object.object.replace(NAMESPACE, 'payments') });
    const payloads = [object.reference, object.reference, plain.reference, gone.reference, elsewhere];
    payloads.push(referenceTo({ ...object, size: 4 }), (await store.store(object.reference)).reference);
    const input = JSON.stringify(payloads.map((payload) => payloadToJson(payload)));
    const options = ['--namespace', NAMESPACE, '--external-storage', store.file];
    const { code, json, out } = await inspect([...options, '--key', MESSAGE_KEY], input);
    const message = {
      state: 'encrypted',
      key: { name: MESSAGE_KEY, version: 7 },
      layers: ['external storage', 'envelope-v2'],
      object: `directory://payloads/${object.object}`,
      bytes: large.data!.length,
    };
    expect([code, json().payloads]).toMatchObject([
      1,
      [
        message,
        message,
        { state: 'plaintext', layers: ['external storage'] },
        { state: 'reference', reason: 'storage_not_found', object: expect.stringContaining(gone.object) },
        { state: 'reference', reason: 'storage_not_allowed' },
        { state: 'reference', reason: 'storage_altered' },
        { state: 'reference', reason: 'malformed' },
      ],
    ]);
    expect(leaksIn(out, [SECRET])).toEqual([]);

    const event = proto.temporal.api.history.v1.HistoryEvent.fromObject({
      eventId: 1,
      workflowExecutionStartedEventAttributes: { input: { payloads: [object.reference, gone.reference] } },
    });
    const history = await temporalKms(['inspect', ...options], { input: encodedJson([event]) });
    expect([history.code, history.out]).toEqual([1, expect.stringMatching(/^ {2}encrypted .* 7 +key id/m)]);
    expect(history.out).toMatch(/^ {2}reference: storage_not_found /m);
    const noNamespace = ['inspect', '--external-storage', store.file];
    expect((await temporalKms(noNamespace, { input })).code).toBe(64);
    const env = { TEMPORAL_NAMESPACE: NAMESPACE };
    const { payloads: own } = (await temporalKms([...noNamespace, '--json'], { input, env })).json();
    expect(own[0]).toMatchObject({ state: 'encrypted', object: message.object });
    // Without --external-storage, the command describes the references.
    const [first] = (await inspect([], input)).json().payloads;
    expect([first.state, first.reason, first.object]).toEqual(['reference', undefined, undefined]);
  });

  it('requests at most 8 objects at the same time', async () => {
    const store = await startStore(NAMESPACE);
    const references: object[] = [];
    for (let n = 0; n < 30; n += 1)
      references.push(
        payloadToJson(
          (await store.store(payloadOf({ version: 7, named: true }), { runId: `${n}` })).reference,
        ),
      );
    let [open, most] = [0, 0];
    // oxlint-disable-next-line typescript/unbound-method -- the mock calls it with the object as `this`
    const { readStart } = ObjectStorage.prototype;
    vi.spyOn(ObjectStorage.prototype, 'readStart').mockImplementation(async function (
      this: ObjectStorage,
      ...args
    ) {
      most = Math.max(most, (open += 1));
      return await readStart.apply(this, args).finally(() => (open -= 1));
    });
    const options = ['--namespace', NAMESPACE, '--external-storage', store.file];
    const { json } = await inspect(options, JSON.stringify(references));
    vi.restoreAllMocks();
    expect([json().payloads.length, most]).toEqual([30, 8]);
  });

  it('gives the same reason why an object may not be read, in whatever order the options name the namespaces', async () => {
    const store = await startStore(NAMESPACE);
    const { object, bytes } = await store.store(payloadOf({ version: 7, named: true }));
    const elsewhere = referenceTo({ object: object.replace(NAMESPACE, 'payments'), bytes });
    const input = JSON.stringify(payloadToJson(elsewhere));
    for (const namespaces of [[NAMESPACE, 'other'], ['other', NAMESPACE], ['Other']]) {
      const named = namespaces.flatMap((name) => ['--namespace', name]);
      const { json, err } = await inspect([...named, '--external-storage', store.file], input);
      const isListed = namespaces.includes(NAMESPACE);
      expect([json().payloads[0].reason, err]).toEqual([
        isListed ? 'storage_not_allowed' : 'external_reference',
        expect.stringContaining(isListed ? `"${NAMESPACE}" may not read` : 'for the namespace "Other"'),
      ]);
    }
  });

  it('explains a mistake in the name of the storage file', async () => {
    const missing = join(await temporaryFolder(), 'none.yaml');
    const input = JSON.stringify(payloadToJson(payloadOf({ version: 7, named: true })));
    const options = ['--namespace', NAMESPACE, '--external-storage'];
    expect((await inspect([...options, missing], input)).json().error.message).toBe(
      `A mistake in --external-storage:\n  cannot be read: ${missing} does not exist`,
    );
    const { code, json } = await inspect([...options, 's3://payloads'], input);
    expect([code, json().error.fix]).toEqual([64, ['--external-storage storage.yaml']]);
  });

  it('distinguishes objects of the same name in stores whose buckets have the same name', async () => {
    const [present, archive] = [await startStore(NAMESPACE), await temporaryFolder()];
    const { reference } = await present.store(payloadOf({ version: 7, named: true }));
    const store = { type: 'directory', bucket: BUCKET };
    const stores = [
      { ...store, path: present.path },
      { ...store, path: archive, driverName: 'archive' },
    ];
    const file = join(archive, 'storage.yaml');
    await writeFile(file, `${JSON.stringify({ namespaces: { [NAMESPACE]: stores } })}\n...\n`, {
      mode: 0o600,
    });
    const data = Buffer.from(String(reference.data).replace('temporal-kms.directory', 'archive'));
    const payloads = [reference, { ...reference, data }].map((payload) => payloadToJson(payload));
    const options = ['--namespace', NAMESPACE, '--external-storage', file];
    const { json } = await inspect(options, JSON.stringify(payloads));
    expect(json().payloads).toMatchObject([
      { state: 'encrypted' },
      { state: 'reference', reason: 'storage_not_found' },
    ]);
  });
});
