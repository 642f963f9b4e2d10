import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestsWith, newInstance, openAuditFile, parseEntryLine, verifyAudit } from '@temporal-kms/audit';
import { type AuditEntry, readableExport } from '@temporal-kms/codec-api';
import { readHistoryFile } from '@temporal-kms/histories/files';
import { protoEvent } from '@temporal-kms/histories/proto';
import { eventPayloads, payloadToJson, workflowContext } from '@temporal-kms/histories/payloads';
import { loadKmsCodec, reasons } from '@temporal-kms/kms-codec';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import {
  afterwards,
  type Cloud,
  KEY,
  keysFile,
  RING,
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
import { referenceTo, startStore, stored } from '../support/stored.ts';

const histories = useHistories();

const VERSION_1 = `${KEY}/cryptoKeyVersions/1`;
const why = ['--justification', 'ticket 4711'];
let runs = 0;

const silent = () => undefined;
const silentLog = { trace: silent, debug: silent, info: silent, warn: silent, error: silent };

interface Decryption {
  readonly cloud: Cloud;
  readonly folder: string;
  readonly auditFile: string;
  readonly decrypt: (
    args: readonly string[],
    input?: string | Uint8Array,
    env?: Record<string, string | undefined>,
  ) => ReturnType<typeof temporalKms>;
  readonly entries: () => Promise<AuditEntry[]>;
}

/**
 * Starts an application that may encrypt and decrypt, with a folder for the audit. The returned `decrypt`
 * checks that standard error contains no plaintext.
 */
async function start(): Promise<Decryption> {
  const cloud = await startCloud();
  await cloud.grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  const folder = await temporaryFolder();
  const auditFile = join(folder, 'audit.jsonl');
  return {
    cloud,
    folder,
    auditFile,
    decrypt: async (args, input = '', env = {}) => {
      const ran = await temporalKms(['decrypt', '--namespace', NAMESPACE, ...args], {
        env: { ...cloud.as(WORKER), AUDIT_FILE: auditFile, ...env },
        input,
      });
      expect(leaksIn(ran.err, [SECRET])).toEqual([]);
      return ran;
    },
    entries: async () => {
      const lines = (await readFile(auditFile, 'utf8')).split('\n');
      return lines.flatMap((line) => parseEntryLine(line) ?? []);
    },
  };
}

/** Starts a run with payloads under versions 1 (input and memo, bound to the workflow) and 2 (a signal). */
async function twoVersions(cloud: Cloud): Promise<Run> {
  const run = await histories.start(`order-${(runs += 1)}`, cloud.as(WORKER), { bind: true });
  await cloud.owner.createCryptoKeyVersion({ parent: KEY, cryptoKeyVersion: {} });
  await cloud.owner.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '2' });
  await histories.signal(run, cloud.as(WORKER), { text: SECRET, id: '9007199254740993' });
  return run;
}

async function encrypt(cloud: Cloud, value: unknown, namespace = NAMESPACE): Promise<Payload> {
  const codec = loadKmsCodec({ namespace, env: cloud.as(WORKER) });
  afterwards(() => codec.close());
  const [payload] = await codec.encode([defaultPayloadConverter.toPayload(value)]);
  return payload!;
}

const asJson = (payload: Payload): string => JSON.stringify(payloadToJson(payload));

describe('temporal-kms decrypt with a history', () => {
  it('writes the same readable and replayable histories for every form of the input', async () => {
    const { cloud, decrypt } = await start();
    const run = await twoVersions(cloud);
    const events = await histories.events(run);
    const inputs = [
      await cliShow(histories, run, 'json'),
      await cliShow(histories, run, 'jsonl'),
      encodedJson(events),
      cloudExport([events]),
    ];
    const codec = loadKmsCodec({ namespace: NAMESPACE, env: cloud.as(WORKER) });
    afterwards(() => codec.close());
    const home = workflowContext({ namespace: NAMESPACE, workflowId: run.workflowId });
    const expected: object[] = [];
    for (const event of events)
      for (const { payload } of eventPayloads(event, home))
        expected.push(payloadToJson((await codec.decode([payload], home))[0]!));
    for (const input of inputs) {
      const readable = await decrypt(why, input);
      expect(readable.code).toBe(0);
      expect(readableExport.parse(readable.json())).toMatchObject({
        namespace: NAMESPACE,
        ...run,
        summary: { events: events.length, payloads: 3, unreadable: {} },
      });
      expect(readable.json().events[0].workflowExecutionStartedEventAttributes).toMatchObject({
        input: { payloads: [{ note: SECRET, amount: 12 }] },
        memo: { fields: { customer: `${SECRET} memo` } },
      });

      const decoded = await decrypt([...why, '--as', 'decoded'], input);
      expect(decoded.code).toBe(0);
      const [workflow] = readHistoryFile(decoded.bytes).workflows;
      const payloads = Array.from({ length: workflow.length }, (_, index) =>
        eventPayloads(protoEvent(workflow.event(index + 1), workflow.encoding), home),
      ).flat();
      expect(payloads.map(({ payload }) => payloadToJson(payload))).toEqual(expected);
    }
  });

  it('writes a reason code in place of each payload whose key version was destroyed, and exits with 1', async () => {
    const { cloud, decrypt, entries } = await start();
    const run = await twoVersions(cloud);
    // Cloud KMS reveals why a version cannot be used only to an identity with this role.
    await cloud.grant(WORKER, 'roles/cloudkms.viewer');
    await cloud.emulator.setVersionState(VERSION_1, 'DESTROYED');
    const input = await cliShow(histories, run, 'json');
    const { code, json, err } = await decrypt(why, input);
    expect(code).toBe(1);
    const [first, second] = json().events;
    expect(first.workflowExecutionStartedEventAttributes.input.payloads[0].$unreadable).toMatchObject({
      reason: 'key_destroyed',
      ref: '1:0',
      key: { name: KEY, version: 1 },
    });
    expect(JSON.stringify([second, ...json().events.slice(2)])).toContain(SECRET);
    expect(json().summary.unreadable).toEqual({ key_destroyed: 2 });
    expect(err).toContain('1 of 3 payloads are readable');
    const { meaning, remedy } = reasons.key_destroyed;
    expect(err).toContain(`key_destroyed (2): ${meaning} ${remedy}`);
    expect((await entries()).at(-1)?.outcome).toMatchObject({ payloads: 1, refused: { key_destroyed: 2 } });

    const decoded = await decrypt([...why, '--as', 'decoded'], input);
    expect(decoded.code).toBe(1);
    const again = await decrypt(why, decoded.bytes);
    expect(again.code).toBe(1);
    expect(again.json().summary).toEqual(json().summary);
  });

  it('decrypts nothing from another namespace or workflow, or under an unconfigured key', async () => {
    const { cloud, decrypt } = await start();
    const run = await twoVersions(cloud);
    const input = await cliShow(histories, run, 'json');
    const cases: [string[], Record<string, string>, object][] = [
      [['--namespace', 'other'], {}, { namespace_mismatch: 3 }],
      [['--workflow-id', 'order-0'], {}, { workflow_mismatch: 2 }],
      [[], { GCP_KMS_KEY: 'other' }, { key_not_allowed: 3 }],
    ];
    for (const [args, env, unreadable] of cases) {
      const { code, out, json } = await decrypt([...why, ...args], input, env);
      expect([args, code, json().summary.unreadable]).toEqual([args, 1, unreadable]);
      if (Object.values(unreadable)[0] === 3) expect(leaksIn(out, [SECRET])).toEqual([]);
    }
  });

  it('writes one document for each history in an export, and audits each history separately', async () => {
    const { cloud, decrypt, entries } = await start();
    const [one, other] = [await twoVersions(cloud), await histories.start('order-b', cloud.as(WORKER))];
    const { code, bytes } = await decrypt(
      why,
      cloudExport([await histories.events(one), await histories.events(other)]),
    );
    expect(code).toBe(0);
    expect(readHistoryFile(bytes).workflows.map(({ workflowId, runId }) => ({ workflowId, runId }))).toEqual([
      one,
      other,
    ]);
    expect((await entries()).map(({ event, workflowId }) => `${event} ${workflowId}`)).toEqual([
      `intent ${one.workflowId}`,
      `outcome ${one.workflowId}`,
      'intent order-b',
      'outcome order-b',
    ]);
  });
});

describe('temporal-kms decrypt with a payload', () => {
  it('writes a decrypted payload as JSON, as a payload in Temporal’s format, or as bytes', async () => {
    const { cloud, decrypt } = await start();
    const payload = await encrypt(cloud, { note: SECRET });
    const bytes = proto.temporal.api.common.v1.Payload.encode(payload).finish();
    for (const input of [asJson(payload), bytes, Buffer.from(bytes).toString('base64')]) {
      expect(await decrypt(why, input)).toMatchObject({ code: 0, out: `{"note":"${SECRET}"}\n` });
      const raw = await decrypt([...why, '--as', 'raw'], input);
      expect([raw.code, raw.out]).toEqual([0, `{"note":"${SECRET}"}`]);
      const decoded = await decrypt([...why, '--as', 'decoded'], input);
      expect(decoded.json()).toEqual({
        metadata: { encoding: Buffer.from('json/plain').toString('base64') },
        data: Buffer.from(`{"note":"${SECRET}"}`).toString('base64'),
      });
    }
  });

  it('writes no bytes if a payload cannot be decrypted, and exits with 1', async () => {
    const { cloud, decrypt } = await start();
    const payload = await encrypt(cloud, SECRET);
    const data = Buffer.from(payload.data!);
    data[data.length - 1]! ^= 1;
    const changed = asJson({ ...payload, data });
    expect(await decrypt([...why, '--as', 'raw'], changed)).toMatchObject({ code: 1, out: '' });
    const { code, json } = await decrypt(why, changed);
    expect([code, json().$unreadable.reason]).toEqual([1, 'integrity_failed']);
  });

  it('accepts --as raw only for a single payload', async () => {
    const { cloud, decrypt } = await start();
    const payload = payloadToJson(await encrypt(cloud, SECRET));
    const two = JSON.stringify({ payloads: [payload, payload] });
    expect(await decrypt([...why, '--as', 'raw'], two)).toMatchObject({ code: 64, out: '' });
    expect((await decrypt(why, two)).json()).toEqual({ payloads: [SECRET, SECRET] });
  });
});

describe('the temporal-kms decrypt audit', () => {
  it('records the person and the justification before and after each decryption, in one hash chain', async () => {
    const { cloud, decrypt, entries, auditFile } = await start();
    const run = await twoVersions(cloud);
    await decrypt(why, await cliShow(histories, run, 'json'));
    await decrypt(why, asJson(await encrypt(cloud, SECRET)));
    const [intent, outcome, second] = await entries();
    expect(intent).toMatchObject({
      event: 'intent',
      operation: 'export',
      who: { name: expect.stringContaining('@'), issuer: 'operating system' },
      namespace: NAMESPACE,
      ...run,
      source: 'file',
      justification: 'ticket 4711',
    });
    expect(outcome).toMatchObject({
      event: 'outcome',
      id: intent!.id,
      outcome: {
        result: 'complete',
        payloads: 3,
        keys: [
          { name: KEY, version: 1, payloads: 2 },
          { name: KEY, version: 2, payloads: 1 },
        ],
      },
    });
    expect(second).toMatchObject({ event: 'intent', operation: 'decode' });
    const verified = await verifyAudit({ files: [auditFile], mixed: false, expected: [], after: [] });
    expect(verified).toMatchObject({ ok: true, problems: [], notes: [] });
    expect(leaksIn(await readFile(auditFile, 'utf8'), [SECRET])).toEqual([]);
    expect((await stat(auditFile)).mode & 0o777).toBe(0o600);
  });

  it('contains digests of the ciphertexts if a digest key is configured', async () => {
    const { cloud, decrypt, entries } = await start();
    const key = 'ab'.repeat(32);
    const file = await temporaryFile('digest.key', key);
    const payload = await encrypt(cloud, SECRET);
    await decrypt(why, asJson(payload), { AUDIT_DIGEST_KEY_FILE: file });
    const [intent] = await entries();
    expect(intent?.digests).toEqual([digestsWith(Buffer.from(key, 'hex')).of(payload.data!)]);
  });

  it('contains an intent for each namespace whose messages are decrypted', async () => {
    const { cloud, decrypt, entries } = await start();
    const keys = await keysFile({
      [NAMESPACE]: { encrypt: KEY, accepts: ['partner'] },
      partner: { encrypt: KEY },
    });
    const own = payloadToJson(await encrypt(cloud, 'own'));
    const partner = payloadToJson(await encrypt(cloud, 'theirs', 'partner'));
    const { code, json } = await decrypt(why, JSON.stringify([own, partner]), {
      GCP_PROJECT: undefined,
      GCP_KMS_LOCATION: undefined,
      GCP_KMS_KEY_RING: undefined,
      GCP_KMS_KEY: undefined,
      KMS_KEYS_FILE: keys,
    });
    expect([code, json()]).toEqual([0, { payloads: ['own', 'theirs'] }]);
    expect(await entries()).toMatchObject([
      { event: 'intent', namespace: NAMESPACE },
      { event: 'intent', namespace: 'partner', requestNamespace: NAMESPACE },
      { event: 'outcome', namespace: NAMESPACE, outcome: { payloads: 1 } },
      { event: 'outcome', namespace: 'partner', outcome: { payloads: 1 } },
    ]);
  });

  it.each<
    [
      string,
      (one: Decryption) => Promise<{ args?: string[]; env?: Record<string, string | undefined> }>,
      number,
    ]
  >([
    ['no audit file is named', async () => ({ env: { AUDIT_FILE: undefined } }), 64],
    [
      'others can write the audit file',
      async ({ auditFile }) => {
        await writeFile(auditFile, '');
        await chmod(auditFile, 0o666);
        return {};
      },
      78,
    ],
    [
      'the folder of the audit file does not exist',
      async () => ({ args: ['--audit', '/does/not/exist/audit.jsonl'] }),
      78,
    ],
    ['the audit file is a device', async () => ({ args: ['--audit', '/dev/full'] }), 78],
    [
      'another process writes to the audit file',
      async ({ auditFile }) => {
        const other = await openAuditFile(auditFile, { instance: newInstance(), log: silentLog });
        afterwards(() => other.close());
        return {};
      },
      78,
    ],
    ['no justification is given', async () => ({ args: [] }), 64],
    ['the justification is invisible', async () => ({ args: ['--justification', '\u200b '] }), 64],
  ])('is required: nothing is decrypted if %s', async (name, prepare, expected) => {
    const one = await start();
    const payload = asJson(await encrypt(one.cloud, SECRET));
    const calls = one.cloud.emulator.calls.count('Decrypt');
    const { args = [], env = {} } = await prepare(one);
    const justified = name.includes('justification') ? args : [...why, ...args];
    const out = join(one.folder, 'out.json');
    const { code, out: printed } = await one.decrypt([...justified, '--out', out], payload, env);
    expect([code, printed]).toEqual([expected, '']);
    expect(one.cloud.emulator.calls.count('Decrypt')).toBe(calls);
    await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('temporal-kms decrypt --out', () => {
  it('creates a file that only its owner can read, and prints the number of payloads', async () => {
    const { cloud, decrypt, folder } = await start();
    const out = join(folder, 'out.json');
    const { code, json } = await decrypt(
      ['--json', ...why, '--out', out],
      asJson(await encrypt(cloud, { note: SECRET })),
    );
    expect([code, json()]).toEqual([0, { out, payloads: 1, unreadable: {} }]);
    expect(await readFile(out, 'utf8')).toBe(`{"note":"${SECRET}"}\n`);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
  });

  it('never replaces a file, not even through a symbolic link', async () => {
    const { cloud, decrypt, folder } = await start();
    const payload = asJson(await encrypt(cloud, SECRET));
    const there = join(folder, 'there.json');
    await writeFile(there, 'there');
    const link = join(folder, 'link.json');
    await symlink(join(folder, 'target.json'), link);
    for (const out of [there, link]) {
      expect(await decrypt([...why, '--out', out], payload)).toMatchObject({ code: 78, out: '' });
    }
    expect(await readFile(there, 'utf8')).toBe('there');
    await expect(stat(join(folder, 'target.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('does not overwrite the audit with plaintext', async () => {
    const { cloud, decrypt, folder } = await start();
    const payload = asJson(await encrypt(cloud, SECRET));
    const out = join(folder, 'both.jsonl');
    expect(await decrypt([...why, '--out', out, '--audit', out], payload)).toMatchObject({
      code: 64,
      out: '',
    });
    await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('warns, without --workflow-id, that a payload’s workflow is not checked', async () => {
    const { cloud, decrypt } = await start();
    const payload = asJson(await encrypt(cloud, SECRET));
    expect((await decrypt(why, payload)).err).toContain('Without --workflow-id');
    expect((await decrypt([...why, '--workflow-id', 'order-1'], payload)).err).not.toContain('Without');
  });

  it.each([{ kind: 'error', status: 'UNAVAILABLE' }, { kind: 'corrupt_response' }] as const)(
    'writes nothing while Cloud KMS fails with %o, and exits with 69',
    async (effect) => {
      const { cloud, decrypt, folder, entries } = await start();
      const payload = asJson(await encrypt(cloud, SECRET));
      cloud.emulator.injectFault({ effect, method: 'Decrypt' });
      const out = join(folder, 'out.json');
      expect(await decrypt([...why, '--out', out], payload)).toMatchObject({ code: 69, out: '' });
      await expect(stat(out)).rejects.toMatchObject({ code: 'ENOENT' });
      expect((await entries()).at(-1)?.outcome?.result).toBe('failed');
    },
  );
});

describe('the temporal-kms decrypt configuration', () => {
  it('is refused if it names no namespace, or has no keys for the namespace', async () => {
    const { cloud, auditFile } = await start();
    const env = { ...cloud.as(WORKER), AUDIT_FILE: auditFile };
    expect(await temporalKms(['decrypt', ...why], { env, input: '{}' })).toMatchObject({ code: 64 });
    const keys = await keysFile({ payments: { encrypt: `${RING}/cryptoKeys/a` } });
    const { KMS_EMULATOR_HOST } = cloud.as(WORKER);
    const { code, err } = await temporalKms(['decrypt', '--namespace', 'none', ...why], {
      env: { KMS_EMULATOR_HOST, KMS_KEYS_FILE: keys, AUDIT_FILE: auditFile },
      input: '{}',
    });
    expect([code, err]).toEqual([78, expect.stringContaining('namespace_not_configured')]);
  });
});

describe('temporal-kms decrypt --external-storage', () => {
  it('decrypts the payloads in objects, and names each object in the audit before it reads the object', async () => {
    const { cloud, folder, decrypt, entries } = await start();
    const codec = loadKmsCodec({
      namespace: NAMESPACE,
      env: { ...cloud.as(WORKER), KMS_BIND_WORKFLOW: 'true' },
    });
    afterwards(() => codec.close());
    const bound = async (value: unknown, workflowId: string): Promise<Payload> => {
      const payload = defaultPayloadConverter.toPayload(value);
      return (await codec.encode([payload], { type: 'workflow', namespace: NAMESPACE, workflowId }))[0]!;
    };
    const store = await startStore(NAMESPACE);
    const put = async (payload: Payload, more: object = {}) => (await store.store(payload, more)).reference;
    const own = await bound(SECRET, 'w');
    const object = await store.store(own);
    const gone = await store.store(await bound('gone', 'w'));
    await store.remove(gone);
    const payloads: Payload[] = [
      object.reference,
      await put(defaultPayloadConverter.toPayload(`${SECRET} in plaintext`)),
      gone.reference,
      await put(await bound('altered', 'w'), { bytes: stored(own) }),
      await put(await bound('of another workflow', 'other')),
      await put(object.reference),
      referenceTo({ ...object, object: object.object.replace(NAMESPACE, 'payments') }),
      own,
    ];
    const input = JSON.stringify(payloads.map((payload) => payloadToJson(payload)));
    const options = [...why, '--workflow-id', 'w', '--as', 'readable'];
    const { code, json, err } = await decrypt([...options, '--external-storage', store.file], input);
    expect(code).toBe(1);
    const reasonsOf = JSON.stringify(json());
    for (const reason of [
      'storage_not_found',
      'storage_altered',
      'workflow_mismatch',
      'malformed',
      'storage_not_allowed',
    ])
      expect([reason, reasonsOf.split(`"${reason}"`).length]).toEqual([reason, 2]);
    expect(reasonsOf.split(SECRET)).toHaveLength(4);
    expect(err).toContain('3 of 8 payloads are readable');

    const audit = await entries();
    const events = audit.map(({ event }) => event);
    expect(events).toEqual(['intent', ...Array.from({ length: 6 }, () => 'object'), 'outcome']);
    expect(audit[1]?.object).toEqual({
      type: 'directory',
      driver: 'temporal-kms.directory',
      bucket: 'payloads',
      object: object.object,
    });
    expect(new Set(audit.map(({ id }) => id)).size).toBe(1);

    // Without --external-storage, the command returns references unchanged.
    const before = await decrypt([...options, '--out', join(folder, 'before.json')], input);
    expect(before.out).toContain('8 of 8 payloads are readable');
    expect((await entries()).filter(({ event }) => event === 'object')).toHaveLength(6);
  });
});
