import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Access, openAccess } from '../../src/access/access.ts';
import type { AppDeps } from '../../src/app.ts';
import { watchKms } from '../../src/observability/kms-health.ts';
import { emptyTemporal } from '../access/support/server.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, bodyOf, headers, keys, plain, post, startKms } from '../support/stack.ts';

const version = (key: string): string => `${key}/cryptoKeyVersions/1`;

const kms = forFile(await startKms());
const bodies: Record<string, string> = {};
for (const namespace of Object.keys(keys)) {
  const context = { type: 'activity', namespace } as const;
  bodies[namespace] = bodyOf(await kms.codec.encode([plain('secret')], context));
}

const call = { operation: 'unwrap', key: 'a', milliseconds: 1, requests: 1 } as const;

/** Returns another replica of the server, without keys in memory. */
function server(deps: Partial<AppDeps> = {}) {
  const other = kms.another();
  const { log, lines } = keptLog();
  const app = appWith(
    { codec: other.codec, watch: other.watch, use: other.use },
    { log, temporal: emptyTemporal, ...deps },
  );
  const ask = (path: string, namespace: string, body: string) =>
    post(app, path, body, { 'x-namespace': namespace });
  const decode = async (namespace: string): Promise<number> =>
    (await ask('/decode', namespace, bodies[namespace] ?? '')).status;
  const get = async (path: string) => {
    const response = await app.request(path, { headers });
    const body: any = await response.json();
    return [response.status, body.kms];
  };
  return {
    decode,
    test: () => ask('/api/namespaces/payments/keys:test', 'payments', '{}'),
    ready: () => get('/readyz'),
    health: () => get('/api/health'),
    lines,
    [Symbol.asyncDispose]: other[Symbol.asyncDispose],
  };
}

describe('watchKms', () => {
  it('logs a rejected key even while calls under another key succeed', () => {
    const { log, lines } = keptLog();
    const { observer } = watchKms({ log });
    for (let n = 0; n < 3; n += 1) {
      observer.kmsCall?.({ ...call, code: 'permission_denied', message: 'may not' });
      observer.kmsCall?.({ ...call, key: 'b' });
    }
    observer.kmsCall?.(call);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        message: 'Cloud KMS rejects calls',
        severity: 'WARNING',
        key: 'a',
        code: 'permission_denied',
        reason: 'may not',
      },
      { message: 'Cloud KMS accepts calls again', key: 'a', failures: 3 },
    ]);
  });

  it('does not log events that a caller can cause without limit', () => {
    const { log, lines } = keptLog();
    const { observer } = watchKms({ log });
    observer.refused?.({ namespace: 'payments', code: 'integrity_failed' });
    observer.failureReplaced?.({ namespace: 'payments', code: 'too_large' });
    expect(lines).toEqual([]);
  });
});

describe('Cloud KMS key health', () => {
  afterEach(async () => {
    kms.emulator.clearFaults();
    for (const key of Object.values(keys)) await kms.emulator.setVersionState(version(key), 'ENABLED');
  });

  it('is `failing` on a replica that cannot decrypt, but the replica stays ready', async () => {
    await using replica = server();
    await kms.emulator.setVersionState(version(keys.payments), 'DISABLED');
    expect(await replica.decode('payments')).toBe(400);
    const refused = { operation: 'decrypt', version: 1, reason: 'key_disabled', since: expect.any(String) };
    const state = { status: 'failing', reason: 'key_disabled', emulator: true };
    expect(await replica.health()).toEqual([
      200,
      { ...state, refused: [{ ...refused, key: keys.payments }] },
    ]);
    expect(await replica.ready()).toEqual([200, state]);
  });

  it('shows a refused key only to callers who may read a namespace that uses the key', async () => {
    const readable = new Set(['payments', 'orders']);
    const allows: Access['allows'] = (_, permission, namespace) =>
      permission !== 'metadata' || namespace === undefined || readable.has(namespace);
    await using replica = server({ access: { ...openAccess, allows } });
    for (const key of Object.values(keys)) await kms.emulator.setVersionState(version(key), 'DISABLED');
    for (const namespace of readable) expect(await replica.decode(namespace)).toBe(400);
    const named = async () => (await replica.health())[1].refused?.map(({ key }: { key: string }) => key);
    expect(await named()).toEqual([keys.orders, keys.payments]);
    readable.delete('payments');
    expect(await named()).toEqual([keys.orders]);
    readable.delete('orders');
    expect(await replica.health()).toEqual([
      200,
      { status: 'failing', reason: 'key_disabled', emulator: true },
    ]);
  });

  it('is `degraded` while another key works, and `ok` again when the refused key can be used again', async () => {
    await using replica = server();
    await kms.emulator.setVersionState(version(keys.payments), 'DISABLED');
    expect([await replica.decode('payments'), await replica.decode('orders')]).toEqual([400, 200]);
    expect(await replica.ready()).toMatchObject([200, { status: 'degraded', reason: 'key_disabled' }]);
    await kms.emulator.setVersionState(version(keys.payments), 'ENABLED');
    // The codec waits a while before it calls Cloud KMS for the refused key again.
    await vi.waitFor(async () => expect(await replica.decode('payments')).toBe(200), 20_000);
    expect(await replica.ready()).toEqual([
      200,
      { status: 'ok', lastOk: expect.any(String), emulator: true },
    ]);
  });

  it('reflects key tests, which reveal that a permission for a key is missing', async () => {
    await using replica = server();
    kms.emulator.injectFault({ effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    expect((await replica.test()).status).toBe(200);
    const refused = { operation: 'decrypt', key: keys.payments, reason: 'permission_denied' };
    expect(await replica.health()).toMatchObject([200, { status: 'failing', refused: [refused] }]);
    kms.emulator.clearFaults();
    expect((await replica.test()).status).toBe(200);
    expect(await replica.health()).toMatchObject([200, { status: 'ok' }]);
  });

  it('is reported by a reason code in the request log', async () => {
    await using replica = server();
    await kms.emulator.setVersionState(version(keys.orders), 'DISABLED');
    await replica.decode('orders');
    expect(replica.lines.map((line) => JSON.parse(line))).toMatchObject([
      { route: '/decode', status: 400, code: 'bad_request', reasonCode: 'key_disabled' },
    ]);
  });

  it('contains the version that Cloud KMS refuses, whatever version a message names', async () => {
    const own = await startKms();
    const context = { type: 'activity', namespace: 'payments' } as const;
    const [old = {}] = await own.codec.encode([plain('secret')], context);
    await own.emulator.rotate(keys.payments);
    await using writer = own.another();
    const messages = await writer.codec.encode([plain('secret')], context);
    await using reader = own.another();
    await reader.codec.decode(messages, context);
    await own.emulator.setVersionState(version(keys.payments), 'DISABLED');
    const data = Buffer.from(old.data ?? []);
    data.writeUInt32BE(2, 10);
    await expect(reader.codec.decode([{ ...old, data }], context)).rejects.toMatchObject({
      code: 'key_disabled',
    });
    expect(reader.watch.last()).toMatchObject({
      status: 'degraded',
      refused: [{ version: 1, reason: 'key_disabled' }],
    });
    await own.close();
  });

  it('is `degraded` and not `failing` if one version works and a refused message names no version', () => {
    const health = watchKms();
    health.observer.kmsCall?.({ ...call, keyVersion: 2 });
    health.observer.kmsCall?.({ ...call, code: 'key_disabled' });
    expect(health.last().status).toBe('degraded');
  });

  it('ignores calls that are older than an hour, and keeps a limited number of forged versions', () => {
    let time = 1e12;
    const health = watchKms({ now: () => new Date(time) });
    const refused = { ...call, code: 'key_disabled' } as const;
    for (let keyVersion = 1; keyVersion <= 2_000; keyVersion += 1)
      health.observer.kmsCall?.({ ...refused, keyVersion });
    expect(health.last().refused).toHaveLength(256);
    time += 61 * 60_000;
    health.observer.kmsCall?.({ ...refused, keyVersion: 1 });
    expect(health.last().refused).toHaveLength(1);
  });

  it('is `failing` as soon as the whole key is refused, even if a version of the key worked before', () => {
    const health = watchKms();
    health.observer.kmsCall?.({ ...call, keyVersion: 1 });
    health.observer.kmsCall?.({ ...call, keyVersion: 2, code: 'permission_denied' });
    expect(health.last().status).toBe('failing');
    health.observer.kmsCall?.({ ...call, key: 'a2', keyVersion: 1 });
    health.observer.kmsCall?.({ ...call, keyVersion: 2, code: 'permission_denied' });
    expect(health.last().status).toBe('degraded');
  });

  it('remembers that a key works, however many forged versions are refused', () => {
    const health = watchKms();
    health.observer.kmsCall?.({ ...call, keyVersion: 1 });
    for (let keyVersion = 2; keyVersion <= 2_000; keyVersion += 1)
      health.observer.kmsCall?.({ ...call, keyVersion, code: 'key_disabled' });
    expect(health.last().status).toBe('degraded');
    health.observer.kmsCall?.({ ...call, keyVersion: 1, code: 'key_disabled' });
    expect(health.last().status).toBe('failing');
  });

  it('does not depend on rejected messages or on key descriptions', () => {
    const health = watchKms();
    health.observer.kmsCall?.({ ...call, keyVersion: 1, code: 'key_disabled' });
    health.observer.kmsCall?.({ ...call, keyVersion: 1, code: 'integrity_failed' });
    health.observer.kmsCall?.({ ...call, keyVersion: 1, operation: 'describe' });
    expect(health.last()).toMatchObject({ status: 'failing', reason: 'key_disabled' });
  });
});
