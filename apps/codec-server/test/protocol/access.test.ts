import { createAudit } from '@temporal-kms/audit';
import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '@temporal-kms/codec-api';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import type { Access } from '../../src/access/access.ts';
import { HttpError } from '../../src/errors.ts';
import { forFile } from '../support/for-file.ts';
import { signaled, temporalWith } from '../support/planted-run.ts';
import { appWith, bodyOf, damaged, keys, plain, post, recordedAudit, startKms } from '../support/stack.ts';
import { ana } from '../support/callers.ts';
import { RUN } from '../support/routes.ts';

// `payments` accepts messages of `orders`; `archive` only decrypts.
const kms = forFile(
  await startKms({
    payments: { encrypt: keys.payments, accepts: ['orders'] },
    orders: { encrypt: keys.orders },
    archive: { decrypt: [keys.payments] },
  }),
);

function server(access: Access, codec: KmsCodec = kms.codec) {
  const { audit, entries: audited } = recordedAudit();
  const app = appWith(kms, { codec, access, audit });
  const ask = (operation: string, namespace: string, body: string, more: Record<string, string> = {}) =>
    post(app, `/${operation}`, body, { 'x-namespace': namespace, ...more });
  return { audited, ask };
}

const sealedIn = async (namespace: string): Promise<string> =>
  bodyOf(await kms.codec.encode([plain('secret')], { namespace }));

describe('the audit outcome', () => {
  const all = ana({ payments: ['decode', 'encode'] });
  const clear = bodyOf([plain('secret')]);

  test.each(['decode', 'encode'])(
    'must be written before the response to %s contains payloads',
    async (operation) => {
      const audit = createAudit({
        write: async ({ event }) => {
          if (event === 'outcome') throw new HttpError(503, 'audit_unavailable', 'No audit.');
        },
      });
      const body = operation === 'decode' ? await sealedIn('payments') : clear;
      const response = await post(appWith(kms, { access: all, audit }), `/${operation}`, body);
      expect([response.status, await response.text()]).toEqual([503, 'No audit.\n']);
    },
  );

  test.each(['decode', 'encode'])('is written before the response to %s', async (operation) => {
    const gate = Promise.withResolvers<void>();
    const audit = createAudit({
      write: async ({ event }) => {
        if (event === 'outcome') await gate.promise;
      },
    });
    const body = operation === 'decode' ? await sealedIn('payments') : clear;
    let answered = false;
    const asked = post(appWith(kms, { access: all, audit }), `/${operation}`, body);
    void asked.then(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    gate.resolve();
    expect((await asked).status).toBe(200);
  });

  test('lists the payloads that were decrypted, and their keys, if the decode fails', async () => {
    const { ask, audited } = server(all);
    const payloads = await kms.codec.encode(
      Array.from({ length: 600 }, (_, n) => plain(n)),
      { namespace: 'payments' },
    );
    const sent = bodyOf([...payloads.slice(0, -1), damaged(payloads[599]!)]);
    expect((await ask('decode', 'payments', sent)).status).toBe(400);
    expect(audited.at(-1)).toMatchObject({
      outcome: {
        result: 'failed',
        payloads: 500,
        keys: [{ name: keys.payments, payloads: 500 }],
        refused: { integrity_failed: 1 },
      },
    });
  });

  test('names the key if Cloud KMS rejects a decode', async () => {
    await using other = kms.another();
    const asked = server(all, other.codec);
    const body = await sealedIn('payments');
    kms.emulator.injectFault({ method: 'Decrypt', effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    expect((await asked.ask('decode', 'payments', body)).status).toBe(400);
    kms.emulator.reset();
    expect(asked.audited.at(-1)).toMatchObject({
      outcome: {
        payloads: 0,
        keys: [{ name: keys.payments, payloads: 0 }],
        refused: { permission_denied: 1 },
      },
    });
  });
});

test('decrypts accepted messages in a history only for callers who may decode in both namespaces', async () => {
  const [payload] = await kms.codec.encode([plain('secret')], { namespace: 'orders', workflowId: 'w' });
  const temporal = temporalWith([signaled(1, payload!)]);
  const decrypted = async (...namespaces: string[]): Promise<unknown> => {
    const access = ana(Object.fromEntries(namespaces.map((namespace) => [namespace, ['decode']])));
    const app = appWith(kms, { access, temporal });
    const response = await post(app, `${RUN}/payloads:decode`, { refs: ['1:0'] });
    return JSON.parse((await response.text()).split('\n')[0]!);
  };
  expect(await decrypted('payments', 'orders')).toMatchObject({ ref: '1:0', ok: true });
  expect(await decrypted('payments')).toMatchObject({ ok: false, reason: 'namespace_not_permitted' });
});

describe('a message that names another namespace', () => {
  const both = ana({ payments: ['decode'], orders: ['decode'] });

  test('is not decrypted for a caller who may not decode in that namespace, and the audit records the denial', async () => {
    const { ask, audited } = server(ana({ payments: ['decode'] }));
    const response = await ask('decode', 'payments', await sealedIn('orders'));
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('"orders"')]);
    expect(audited).toMatchObject([{ event: 'denied', operation: 'decode', namespace: 'orders' }]);
  });

  test('is not decrypted even if other payloads name the request’s namespace', async () => {
    const { ask } = server(ana({ payments: ['decode'] }));
    const payloads = await kms.codec.encode([plain(1)], { namespace: 'payments' });
    payloads.push(...(await kms.codec.encode([plain(2)], { namespace: 'orders' })));
    expect((await ask('decode', 'payments', bodyOf(payloads))).status).toBe(403);
  });

  test('is decrypted for a caller who may decode in both namespaces', async () => {
    const { ask } = server(both);
    const response = await ask('decode', 'payments', await sealedIn('orders'));
    expect([response.status, await response.text()]).toEqual([200, bodyOf([plain('secret')])]);
  });

  test('is audited in both namespaces, and counted in the namespace that it names', async () => {
    const { ask, audited } = server(both);
    expect((await ask('decode', 'payments', await sealedIn('orders'))).status).toBe(200);
    expect(audited).toMatchObject([
      { event: 'intent', namespace: 'payments' },
      { event: 'intent', namespace: 'orders' },
      { event: 'outcome', namespace: 'payments', outcome: { result: 'complete', payloads: 0 } },
      {
        event: 'outcome',
        namespace: 'orders',
        outcome: { result: 'complete', payloads: 1, keys: [{ name: keys.orders }] },
      },
    ]);
  });

  test('is recorded in its namespace’s audit if Cloud KMS rejects the key', async () => {
    await using other = kms.another();
    const { ask, audited } = server(both, other.codec);
    const body = await sealedIn('orders');
    kms.emulator.injectFault({ method: 'Decrypt', effect: { kind: 'error', status: 'PERMISSION_DENIED' } });
    expect((await ask('decode', 'payments', body)).status).toBe(400);
    kms.emulator.reset();
    expect(audited.slice(2)).toMatchObject([
      { event: 'outcome', namespace: 'payments', outcome: { result: 'failed', keys: [], refused: {} } },
      {
        event: 'outcome',
        namespace: 'orders',
        outcome: { result: 'failed', keys: [{ name: keys.orders }], refused: { permission_denied: 1 } },
      },
    ]);
  });

  test('is recorded in its namespace’s audit if it was modified', async () => {
    const { ask, audited } = server(both);
    const [encrypted] = await kms.codec.encode([plain('secret')], { namespace: 'orders' });
    const body = bodyOf([damaged(encrypted!)]);
    expect((await ask('decode', 'payments', body)).status).toBe(400);
    expect(audited.slice(2)).toMatchObject([
      { namespace: 'payments', outcome: { result: 'failed', refused: {} } },
      { namespace: 'orders', outcome: { result: 'failed', refused: { integrity_failed: 1 } } },
    ]);
  });

  test('is recorded in the audit of the request’s namespace if payloads of both namespaces use the failed key', async () => {
    const shared = await startKms({
      payments: { encrypt: keys.payments, accepts: ['orders'] },
      orders: { encrypt: keys.payments },
    });
    const payloads = [
      ...(await shared.codec.encode([plain(1)], { namespace: 'orders' })),
      ...(await shared.codec.encode([plain(2)], { namespace: 'payments' })),
    ];
    await using other = shared.another();
    await other.codec.decode(payloads.slice(0, 1), { namespace: 'payments' });
    const { ask, audited } = server(both, other.codec);
    shared.emulator.injectFault({
      method: 'Decrypt',
      effect: { kind: 'error', status: 'PERMISSION_DENIED' },
    });
    expect((await ask('decode', 'payments', bodyOf(payloads))).status).toBe(400);
    expect(audited.slice(2)).toMatchObject([
      { namespace: 'payments', outcome: { result: 'failed', refused: { permission_denied: 1 } } },
      { namespace: 'orders', outcome: { result: 'failed', refused: {} } },
    ]);
    await shared.close();
  });

  test('is not decrypted if its namespace’s audit cannot be written, and every intent gets an outcome', async () => {
    const audited: AuditEntry[] = [];
    const audit = createAudit({
      write: async (entry) => {
        if (entry.namespace === 'orders') throw new HttpError(503, 'audit_unavailable', 'No audit.');
        audited.push(entry);
      },
    });
    const response = await post(appWith(kms, { audit }), '/decode', await sealedIn('orders'));
    expect([response.status, await response.text()]).toEqual([503, 'No audit.\n']);
    expect(audited).toMatchObject([{ event: 'intent' }, { event: 'outcome', outcome: { result: 'failed' } }]);
  });

  test('is decrypted only with a justification if its namespace requires a justification', async () => {
    const { ask } = server(ana({ payments: ['decode'], orders: ['decode'] }, ['orders']));
    const response = await ask('decode', 'payments', await sealedIn('orders'));
    expect([response.status, await response.text()]).toEqual([
      403,
      expect.stringContaining('X-Reveal-Justification'),
    ]);
  });
});

describe('a namespace that reveals payloads on demand', () => {
  const access = ana({ payments: ['decode', 'encode'] }, ['payments']);

  test.each([
    ['ticket 4711', 'ticket 4711'],
    // The first header is UTF-8 with one character per byte, as Node's HTTP server provides it.
    [Buffer.from('Störung bei Müller').toString('latin1'), 'Störung bei Müller'],
    ['St\u00f6rung', 'Störung'],
  ])('accepts the justification %s, and records it unchanged in the audit', async (header, justification) => {
    const { ask, audited } = server(access);
    const more = { 'x-reveal-justification': header };
    expect((await ask('decode', 'payments', await sealedIn('payments'), more)).status).toBe(200);
    expect(audited).toMatchObject([
      { event: 'intent', justification },
      { event: 'outcome', justification },
    ]);
  });

  test('requires no justification for encoding, which reveals nothing', async () => {
    expect((await server(access).ask('encode', 'payments', bodyOf([plain(1)]))).status).toBe(200);
  });
});

describe('encoding', () => {
  test('requires the permission `encode`', async () => {
    const { ask } = server(ana({ payments: ['decode'] }));
    expect((await ask('encode', 'payments', bodyOf([plain(1)]))).status).toBe(403);
  });

  test('gets 403 with the reason, for every caller, if the namespace has no key that encrypts', async () => {
    const { ask } = server(ana({ archive: ['encode'] }));
    const response = await ask('encode', 'archive', bodyOf([plain(1)]));
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('only decodes')]);
  });

  test('is the only operation that creates a data key', async () => {
    const payload = await sealedIn('payments');
    kms.emulator.calls.reset();
    await using other = kms.another();
    const app = appWith({ ...kms, codec: other.codec });
    expect((await post(app, '/decode', payload)).status).toBe(200);
    other.codec.maintain();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(kms.emulator.calls.count('Decrypt')).toBe(1);
    expect(kms.emulator.calls.count('Encrypt')).toBe(0);
  });
});
