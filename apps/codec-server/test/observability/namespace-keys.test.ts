import { namespaceKeys as contract } from '@temporal-kms/codec-api';
import { type KeyDescription, KeyRules, KmsCodecError } from '@temporal-kms/kms-codec';
import { describe, expect, it } from 'vitest';
import { describedKeys, namespaceKeys } from '../../src/observability/namespace-keys.ts';
import { createKeyUsage, NamespaceUsage } from '../../src/observability/key-usage.ts';
import { scanReports } from '../../src/observability/scan-reports.ts';
import { forFile } from '../support/for-file.ts';
import {
  appWith,
  bodyOf,
  damaged,
  headers,
  keys,
  type Payload,
  plain,
  post,
  startKms,
} from '../support/stack.ts';

async function keysOf(app: ReturnType<typeof appWith>, namespace = 'payments') {
  const response = await app.request(`/api/namespaces/${namespace}/keys`, { headers });
  expect(response.status).toBe(200);
  return contract.parse(await response.json());
}

const kms = forFile(
  await startKms({
    payments: { encrypt: keys.payments, decrypt: [keys.orders] },
    orders: { encrypt: keys.orders },
  }),
);
const encrypted = await kms.codec.encode([plain(1), plain(2), plain(3)], { namespace: 'payments' });

describe('namespace keys', () => {
  it('are the configured keys with the state of their versions in Cloud KMS', async () => {
    const { keys: reported, reads, plaintext } = await keysOf(appWith(kms));
    expect(reported).toMatchObject([
      {
        name: keys.payments,
        use: 'encrypt_and_decrypt',
        described: expect.any(String),
        protectionLevel: 'SOFTWARE',
        versions: [
          {
            version: 1,
            state: 'ENABLED',
            primary: true,
            created: expect.any(String),
            algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION',
            protectionLevel: 'SOFTWARE',
          },
        ],
      },
      { name: keys.orders, use: 'decrypt' },
    ]);
    expect([reads, plaintext]).toEqual([['envelope-v2'], 'report']);
  });

  it('include how long the process can work without Cloud KMS, using the keys in memory', async () => {
    const { inMemory } = await keysOf(appWith(kms));
    // The process has encrypted payloads, so it has a branch key, which it may use for a day.
    expect(inMemory.failure).toBeUndefined();
    expect(inMemory.autonomySeconds).toBeGreaterThan(23 * 3_600);
    expect(inMemory.encryptionKeyAgeSeconds).toBeLessThan(3_600);
    await using other = kms.another();
    expect((await keysOf(appWith(kms, { codec: other.codec }))).inMemory).toEqual({ autonomySeconds: 0 });
  });

  it('count decoded payloads by version, and list refused payloads with the reason code', async () => {
    await using other = kms.another();
    const app = appWith(kms, { codec: other.codec, keyUse: other.use });
    expect((await keysOf(app)).keys[0]?.versions[0]?.seen).toEqual({ payloads: 0 });
    const decode = (payloads: Payload[]) => post(app, '/decode', bodyOf(payloads));
    expect((await decode(encrypted)).status).toBe(200);
    expect((await decode([damaged(encrypted[0]!)])).status).toBe(400);

    const reported = await keysOf(app);
    expect(reported.keys[0]?.versions[0]?.seen).toEqual({ payloads: 3, lastSeen: expect.any(String) });
    expect(reported.outcomes).toMatchObject({
      done: 3,
      refused: { integrity_failed: 1 },
      notEncrypted: 0,
      kmsCalls: { total: 1, failed: {} },
    });
    expect(reported.failures).toMatchObject([{ reason: 'integrity_failed' }]);
    // The two requests may be in different minutes.
    const counted = reported.minutes.filter(({ done, refused }) => done > 0 || 'integrity_failed' in refused);
    expect(counted.reduce((sum, { done }) => sum + done, 0)).toBe(3);
    expect(counted.flatMap(({ refused }) => refused.integrity_failed ?? [])).toEqual([1]);
    expect((await keysOf(app, 'orders')).outcomes.done).toBe(0);
  });

  it('have a reason code if Cloud KMS refuses to describe them, which does not affect the health', async () => {
    await using other = kms.another();
    const app = appWith(kms, { codec: other.codec, keyUse: other.use, kms: other.watch });
    kms.emulator.injectFault({ effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    const { keys: reported } = await keysOf(app);
    kms.emulator.clearFaults();
    expect(reported.map(({ reason }) => reason)).toEqual(['permission_denied', 'permission_denied']);
    expect(reported[0]?.versions).toEqual([]);
    expect(other.watch.last().status).toBe('unknown');
  });
});

describe('describedKeys', () => {
  const description: KeyDescription = {
    key: 'k',
    primary: 1,
    protectionLevel: 'HSM',
    rotationPeriodSeconds: undefined,
    nextRotation: undefined,
    versions: [],
  };

  it('makes one call for concurrent look-ups, and another call once the result has expired', async () => {
    let calls = 0;
    const keyService = {
      describe: async () => {
        calls += 1;
        return description;
      },
    };
    const described = describedKeys({ keyService });
    await Promise.all(Array.from({ length: 50 }, () => described.of('k')));
    await described.of('k');
    expect(calls).toBe(1);
    const expiring = describedKeys({ keyService, keepMs: 1 });
    await expiring.of('k');
    await expect.poll(async () => (await expiring.of('k'), calls)).toBeGreaterThan(2);
  });

  it('describes at most eight keys at a time', async () => {
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
    const reported = await namespaceKeys(
      {
        rules: new KeyRules({ payments: { decrypt } }),
        described: describedKeys({ keyService }),
        use: createKeyUsage(),
        keyState: () => ({
          autonomySeconds: Number.POSITIVE_INFINITY,
          failure: undefined,
          encryptionKeyAgeSeconds: undefined,
          oldestKeyAgeSeconds: undefined,
        }),
        scans: scanReports(undefined),
      },
      'payments',
    );
    expect(reported.inMemory).toEqual({});
    expect([reported.keys.map(({ name }) => name), most]).toEqual([decrypt, 8]);
  });

  it('resolves to a reason code if the call times out or fails', async () => {
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

describe('NamespaceUsage', () => {
  it('keeps 50 failures and an hour of counts by minute, however many failures there are', () => {
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

  it('does not count a payload as a failure if Temporal no longer has the payload', () => {
    const use = new NamespaceUsage();
    use.refused('event_not_found', { workflowId: 'order-1' }, 1);
    expect(use.failures()).toEqual([]);
    expect(use.outcomes().refused).toEqual({});
  });

  it('counts at most a thousand versions, however many versions the messages name', () => {
    const use = new NamespaceUsage();
    for (let version = 1; version <= 5_000; version++) use.done({ name: 'k', version }, 1, 1);
    expect(use.versionsOf('k')).toHaveLength(1_000);
    expect(use.outcomes().done).toBe(5_000);
  });
});
