import { namespaceKeys as contract } from '@temporal-kms/codec-api';
import { type KeyDescription, KeyRules, KmsCodecError } from '@temporal-kms/kms-codec';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describedKeys, namespaceKeys } from '../../src/observability/namespace-keys.ts';
import { createKeyUsage, NamespaceUsage } from '../../src/observability/key-usage.ts';
import { appWith, HOST, type Kms, keys, type Payload, plain, startKms } from '../support/stack.ts';

const headers = { host: HOST, 'content-type': 'application/json', 'x-namespace': 'payments' };

async function keysOf(app: ReturnType<typeof appWith>, namespace = 'payments') {
  const response = await app.request(`/api/namespaces/${namespace}/keys`, { headers });
  expect(response.status).toBe(200);
  return contract.parse(await response.json());
}

const json = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

describe('keys of a namespace', () => {
  let kms: Kms;
  let sealed: Payload[];
  beforeAll(async () => {
    const archive = keys.orders;
    kms = await startKms({
      payments: { encrypt: keys.payments, decrypt: [archive] },
      orders: { encrypt: archive },
    });
    sealed = await kms.codec.encode([plain(1), plain(2), plain(3)], { namespace: 'payments' });
  });
  afterAll(() => kms.close());

  test('are those that are configured, with what Cloud KMS says of their versions', async () => {
    const { keys: told, reads, plaintext } = await keysOf(appWith(kms));
    expect(told).toMatchObject([
      {
        name: keys.payments,
        use: 'encrypt_and_decrypt',
        described: expect.any(String),
        versions: [{ version: 1, state: 'ENABLED', primary: true, created: expect.any(String) }],
      },
      { name: keys.orders, use: 'decrypt' },
    ]);
    expect([reads, plaintext]).toEqual([['envelope-v2'], 'report']);
  });

  test('count what was decoded under each version, and tell of refusals which payload and why', async () => {
    await using other = kms.another();
    const app = appWith(kms, { codec: other.codec, keyUse: other.use });
    expect((await keysOf(app)).keys[0]?.versions[0]?.seen).toEqual({ payloads: 0 });
    const decode = (payloads: unknown[]) =>
      app.request('/decode', { method: 'POST', headers, body: JSON.stringify({ payloads }) });
    expect((await decode(sealed.map(json))).status).toBe(200);
    const { data } = json(sealed[0]!);
    const broken = { ...json(sealed[0]!), data: `${data.slice(0, -8)}AAAAAAA=` };
    expect((await decode([broken])).status).toBe(400);

    const told = await keysOf(app);
    expect(told.keys[0]?.versions[0]?.seen).toEqual({ payloads: 3, lastSeen: expect.any(String) });
    expect(told.outcomes).toMatchObject({
      done: 3,
      refused: { integrity_failed: 1 },
      notEncrypted: 0,
      kmsCalls: { total: 1, failed: {} },
    });
    expect(told.failures).toMatchObject([{ reason: 'integrity_failed' }]);
    expect(told.minutes.at(-1)).toMatchObject({ done: 3, refused: { integrity_failed: 1 } });
    expect((await keysOf(app, 'orders')).outcomes.done).toBe(0);
  });

  test('come with a reason where Cloud KMS tells nothing, and health stays what it was', async () => {
    await using other = kms.another();
    const app = appWith(kms, { codec: other.codec, keyUse: other.use, kms: other.watch });
    kms.emulator.injectFault({ effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    const { keys: told } = await keysOf(app);
    kms.emulator.clearFaults();
    expect(told.map(({ reason }) => reason)).toEqual(['permission_denied', 'permission_denied']);
    expect(told[0]?.versions).toEqual([]);
    expect(other.watch.last().status).toBe('unknown');
  });
});

describe('what Cloud KMS is asked', () => {
  const description: KeyDescription = {
    key: 'k',
    primary: 1,
    protectionLevel: 'HSM',
    rotationPeriodSeconds: undefined,
    nextRotation: undefined,
    versions: [],
  };

  test('is asked once for all who ask at the same time, and again only after some seconds', async () => {
    let calls = 0;
    const keyService = {
      describe: async () => {
        calls += 1;
        return description;
      },
    };
    const described = describedKeys({ keyService, keepMs: 200 });
    await Promise.all(Array.from({ length: 50 }, () => described.of('k')));
    await described.of('k');
    expect(calls).toBe(1);
    await expect.poll(async () => (await described.of('k'), calls)).toBe(2);
  });

  test('is asked for eight keys at a time', async () => {
    let now = 0;
    let most = 0;
    const keyService = {
      describe: async () => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setTimeout(resolve, 5));
        now -= 1;
        return description;
      },
    };
    const decrypt = Array.from({ length: 40 }, (_, n) => `${keys.payments}-${n}`);
    const told = await namespaceKeys(
      {
        rules: new KeyRules({ payments: { decrypt } }),
        described: describedKeys({ keyService }),
        use: createKeyUsage(),
      },
      'payments',
    );
    expect([told.keys.map(({ name }) => name), most]).toEqual([decrypt, 8]);
  });

  test('is given up in time, and what it refuses is a reason', async () => {
    const hangs = describedKeys({ keyService: { describe: () => new Promise(() => undefined) }, waitMs: 20 });
    expect(await hangs.of('k')).toEqual({ reason: 'kms_unavailable' });
    const refuses = describedKeys({
      keyService: {
        describe: async () => {
          throw new KmsCodecError('key_not_found', 'no such key');
        },
      },
    });
    expect(await refuses.of('k')).toEqual({ reason: 'key_not_found' });
  });
});

describe('counting', () => {
  test('keeps 50 refusals and an hour of minutes, whatever comes', () => {
    const use = new NamespaceUsage();
    const start = Date.parse('2026-11-24T10:00:30Z');
    for (let n = 0; n < 200; n++) {
      use.refused('integrity_failed', { workflowId: String(n) }, start + n * 60_000);
    }
    const now = start + 199 * 60_000;
    expect(use.failures()).toHaveLength(50);
    expect(use.failures()[0]?.workflowId).toBe('199');
    expect(use.minutes(now)).toHaveLength(60);
    expect(use.outcomes().refused).toEqual({ integrity_failed: 200 });
  });

  test('remembers a thousand versions at most, whatever messages name', () => {
    const use = new NamespaceUsage();
    for (let version = 1; version <= 5_000; version++) use.done({ name: 'k', version }, 1, 1);
    expect(use.versionsOf('k')).toHaveLength(1_000);
    expect(use.outcomes().done).toBe(5_000);
  });
});
