import { createAudit } from '@temporal-kms/audit';
import { keyTest, namespaceKeys } from '@temporal-kms/codec-api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import type { AppDeps } from '../../src/app.ts';
import { forFile } from '../support/for-file.ts';
import { appWith, headers, keys, post, recordedAudit, startKms } from '../support/stack.ts';

const kms = forFile(await startKms({ payments: { encrypt: keys.payments, decrypt: [keys.orders] } }));
afterEach(() => {
  vi.useRealTimers();
  kms.emulator.clearFaults();
});

const fails = () => Promise.reject(new Error('the disk is full'));
const answering: any = { healthy: async () => true };

/** Starts an application with empty caches, and with an audit that the test can read. */
function start(deps: Partial<AppDeps> = {}) {
  const other = kms.another();
  const { audit, entries } = recordedAudit();
  const app = appWith(other, { temporal: answering, audit, ...deps });
  const test = (body: unknown = {}, type = 'application/json') =>
    post(app, '/api/namespaces/payments/keys:test', JSON.stringify(body), { 'content-type': type });
  const health = async () => {
    const response = await app.request('/api/health', { headers });
    return await response.json();
  };
  const usage = async () => {
    const response = await app.request('/api/namespaces/payments/keys', { headers });
    return namespaceKeys.parse(await response.json());
  };
  return { post: test, entries, health, usage, [Symbol.asyncDispose]: () => other[Symbol.asyncDispose]() };
}

async function resultOf(response: Response) {
  expect(response.status).toBe(200);
  return keyTest.parse(await response.json());
}

const step = { milliseconds: expect.any(Number) };

describe('POST /api/namespaces/{namespace}/keys:test', () => {
  it('makes a round trip with the key that encrypts, and returns how long each call took', async () => {
    await using server = start();
    kms.emulator.calls.reset();
    const { keys: tested } = await resultOf(await server.post());
    expect(tested).toEqual([
      {
        name: keys.payments,
        use: 'encrypt_and_decrypt',
        check: 'round_trip',
        version: 1,
        encrypt: step,
        decrypt: step,
      },
      { name: keys.orders, use: 'decrypt', check: 'decrypt_permission', decrypt: step },
    ]);
    expect(kms.emulator.calls.count('Encrypt')).toBe(1);
    // There is no cache, so each key test calls Cloud KMS.
    await resultOf(await server.post());
    expect(kms.emulator.calls.count('Encrypt')).toBe(2);
  });

  it('is audited before it calls Cloud KMS', async () => {
    await using server = start();
    await resultOf(await server.post());
    expect(server.entries).toMatchObject([
      { event: 'intent', operation: 'self_test', namespace: 'payments', who: { name: 'anonymous' } },
      {
        event: 'outcome',
        operation: 'self_test',
        outcome: {
          result: 'complete',
          payloads: 0,
          keys: [
            { name: keys.payments, version: 1, payloads: 0 },
            { name: keys.orders, payloads: 0 },
          ],
          refused: {},
        },
      },
    ]);
  });

  it('does not call Cloud KMS if the audit cannot be written', async () => {
    await using server = start({ audit: createAudit({ write: fails }) });
    kms.emulator.calls.reset();
    expect((await server.post()).status).toBe(500);
    expect(kms.emulator.calls.count('Encrypt')).toBe(0);
  });

  it('does not count as use of a key for a payload', async () => {
    await using server = start();
    await resultOf(await server.post());
    const { keys: reported, outcomes } = await server.usage();
    expect(reported.map(({ versions }) => versions.map(({ seen }) => seen))).toEqual([
      [{ payloads: 0 }],
      [{ payloads: 0 }],
    ]);
    expect([outcomes.done, outcomes.refused]).toEqual([0, {}]);
  });

  it('returns a reason code for each failed call, and updates the health', async () => {
    await using server = start();
    kms.emulator.injectFault({ method: 'Decrypt', effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    const { keys: tested } = await resultOf(await server.post());
    expect(tested[0]).toEqual({
      name: keys.payments,
      use: 'encrypt_and_decrypt',
      check: 'round_trip',
      version: 1,
      encrypt: step,
      decrypt: { ...step, reason: 'permission_denied' },
    });
    expect(tested[1]?.decrypt).toEqual({ ...step, reason: 'permission_denied' });
    expect(server.entries.at(-1)?.outcome?.refused).toEqual({ permission_denied: 2 });
    expect(await server.health()).toMatchObject({ kms: { status: 'failing', reason: 'permission_denied' } });

    kms.emulator.clearFaults();
    await resultOf(await server.post());
    expect(await server.health()).toMatchObject({ kms: { status: 'ok' } });
  });

  it('does not try to decrypt if encryption failed', async () => {
    await using server = start();
    kms.emulator.injectFault({ method: 'Encrypt', effect: { kind: 'error', status: 'UNAVAILABLE' } });
    const { keys: tested } = await resultOf(await server.post());
    expect(tested[0]).toEqual({
      name: keys.payments,
      use: 'encrypt_and_decrypt',
      check: 'round_trip',
      encrypt: { ...step, reason: 'kms_unavailable' },
    });
  });

  it('checks only the permission to decrypt if the server may not encrypt, and still reports the health as ok', async () => {
    await using server = start();
    kms.emulator.injectFault({ method: 'Encrypt', effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    const { keys: tested } = await resultOf(await server.post());
    expect(tested[0]).toEqual({
      name: keys.payments,
      use: 'encrypt_and_decrypt',
      check: 'decrypt_permission',
      encrypt: { ...step, reason: 'permission_denied' },
      decrypt: step,
    });
    expect(await server.health()).toMatchObject({ kms: { status: 'ok' } });
  });
});

describe('an attacker with the permission `decode`', () => {
  it('cannot choose the key, the namespace or the bytes of a test', async () => {
    await using server = start();
    kms.emulator.calls.reset();
    const bodies = [{ key: `${keys.payments}2` }, { plaintext: 'AAAA' }, { aad: '' }, [], null, 'x'];
    for (const body of bodies) expect((await server.post(body)).status).toBe(400);
    expect(kms.emulator.calls.count('Encrypt')).toBe(0);
  });

  it('never gets the bytes that Cloud KMS encrypted or returned', async () => {
    await using server = start();
    const before = kms.keyBytes.length;
    const text = await (await server.post()).text();
    const tested = kms.keyBytes.slice(before);
    expect(tested.length).toBeGreaterThan(0);
    for (const bytes of tested) {
      for (const encoding of ['base64', 'base64url', 'hex'] as const)
        expect(text).not.toContain(Buffer.from(bytes).toString(encoding));
    }
    // The response must contain no value that could be ciphertext.
    expect(text.replaceAll(/projects\/[^"]+/g, '')).not.toMatch(/[\w+/-]{40}/);
  });

  it('can run at most six tests per minute; further tests reach neither Cloud KMS nor the audit', async () => {
    let n = 0;
    // Each request has a new token, but the same subject.
    const authenticate = () => ({ name: `${(n += 1)}@example.com`, issuer: 'i', subject: 'mallory' });
    await using server = start({ access: { ...openAccess, authenticate } });
    kms.emulator.calls.reset();
    vi.useFakeTimers({ toFake: ['performance'] });
    const statuses: number[] = [];
    for (let request = 0; request < 9; request += 1) statuses.push((await server.post()).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429, 429, 429]);
    expect(kms.emulator.calls.count('Encrypt')).toBe(6);
    expect(server.entries).toHaveLength(12);
    expect((await server.post()).headers.get('retry-after')).toMatch(/^\d+$/);
  });

  it('can use up only their own allowance of Cloud KMS requests', async () => {
    await using server = start({ rates: { kmsRequests: 4 } });
    const statuses = [];
    for (let request = 0; request < 3; request += 1) statuses.push((await server.post()).status);
    expect(statuses).toEqual([200, 429, 429]);
  });

  it('cannot make another person’s browser start a test from another site', async () => {
    await using server = start();
    kms.emulator.calls.reset();
    expect((await server.post({}, 'text/plain')).status).toBe(415);
    expect(kms.emulator.calls.count('Encrypt')).toBe(0);
  });
});
