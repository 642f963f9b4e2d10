import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { type Access, openAccess } from '../../src/access/access.ts';
import type { Env } from '../../src/http/context.ts';
import { NamespaceAccess, type Reveal } from '../../src/http/namespace-access.ts';
import { createRateLimits } from '../../src/http/rate-limits.ts';
import { HttpError } from '../../src/errors.ts';
import { ana } from '../support/callers.ts';
import { grantOf } from '../support/grants.ts';

const reveal: Reveal = { workflowId: 'w', runId: 'r' };

interface Setting {
  readonly access?: Access;
  readonly write?: (entry: AuditEntry) => Promise<void>;
  readonly others?: readonly string[];
}

/** Creates the `NamespaceAccess` of one request. */
async function begun({ access = openAccess, write = async () => undefined, others = [] }: Setting = {}) {
  const audited: AuditEntry[] = [];
  const audit = createAudit({
    write: async (entry) => {
      await write(entry);
      audited.push(entry);
    },
  });
  const app = new Hono<Env>();
  const made = Promise.withResolvers<NamespaceAccess>();
  app.get('/', async (c) => {
    c.set('caller', { name: 'ana' });
    await NamespaceAccess.begin(
      c,
      { access, audit, rates: createRateLimits({}) },
      await grantOf('decode', 'home'),
      reveal,
      new Set(others),
    ).then(made.resolve, made.reject);
    return c.text('');
  });
  await app.request('/');
  return { namespaces: await made.promise, audited };
}

/** Requests authorization for a message's namespace, as the codec does. */
const authorize = async (access: NamespaceAccess, namespace: string): Promise<void> =>
  access.authorizeNamespace(namespace);

const lines = (audited: readonly AuditEntry[]): string[] =>
  audited.map(({ event, namespace }) => `${event} ${namespace}`);

/** Returns a `write` function that fails for the entries that match `which`. */
const failsFor =
  (which: (entry: AuditEntry) => boolean) =>
  (entry: AuditEntry): Promise<void> =>
    which(entry) ? noAudit() : Promise.resolve();

const noAudit = (): Promise<never> => Promise.reject(new HttpError(503, 'audit_unavailable', 'No audit.'));

describe('NamespaceAccess', () => {
  it('records each namespace once, however many messages name the namespace concurrently', async () => {
    const { namespaces, audited } = await begun();
    await Promise.all(Array.from({ length: 50 }, (_, n) => authorize(namespaces, n % 2 ? 'a' : 'b')));
    // Later authorizations create no promises, so that decoding stays synchronous.
    expect(namespaces.authorizeNamespace('a')).toBeUndefined();
    await namespaces.end('complete');
    expect(lines(audited).toSorted()).toEqual([
      'intent a',
      'intent b',
      'intent home',
      'outcome a',
      'outcome b',
      'outcome home',
    ]);
  });

  it('denies each namespace once, however many messages name the namespace', async () => {
    const { namespaces, audited } = await begun({ access: ana({ home: ['decode'] }) });
    const asked = await Promise.allSettled(Array.from({ length: 50 }, () => authorize(namespaces, 'a')));
    expect(asked.every(({ status }) => status === 'rejected')).toBe(true);
    expect(() => namespaces.authorizeNamespace('a')).toThrow(KmsCodecError);
    await namespaces.end('complete');
    expect(lines(audited)).toEqual(['intent home', 'denied a', 'outcome home']);
  });

  it('does not check the request’s own namespace again', async () => {
    const { namespaces, audited } = await begun({ access: ana({}) });
    expect(namespaces.authorizeNamespace('home')).toBeUndefined();
    expect(lines(audited)).toEqual(['intent home']);
  });

  it("admits at most 32 namespaces in addition to the request's own", async () => {
    const { namespaces, audited } = await begun();
    const asked = Array.from({ length: 40 }, (_, n) => authorize(namespaces, `other-${n}`));
    const refused = (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(8);
    expect(refused[0]).toMatchObject({ reason: { code: 'namespace_not_permitted' } });
    await expect(authorize(namespaces, 'other-0')).resolves.toBeUndefined();
    await namespaces.end('complete');
    expect(audited).toHaveLength(2 * 33);
  });

  it('records at most 32 denials, so that a history cannot fill the audit', async () => {
    const { namespaces, audited } = await begun({ access: ana({ home: ['decode'] }) });
    await Promise.allSettled(Array.from({ length: 1_000 }, (_, n) => authorize(namespaces, `other-${n}`)));
    expect(audited).toHaveLength(33);
  });

  it('checks all namespaces that are known in advance before any work starts, and rejects the request after one denial', async () => {
    const others = ['a', 'b'];
    const { audited } = await begun({ others });
    expect(lines(audited)).toEqual(['intent home', 'intent a', 'intent b']);
    const access = ana({ home: ['decode'], a: ['decode'] });
    await expect(begun({ access, others })).rejects.toMatchObject({ status: 403, code: 'forbidden' });
    const many = Array.from({ length: 33 }, (_, n) => `other-${n}`);
    await expect(begun({ others: many })).rejects.toMatchObject({ status: 413, code: 'too_large' });
  });
});

describe('a namespace whose audit cannot be written', () => {
  it('is denied until the audit is writable again', async () => {
    let isDown = true;
    const write = failsFor(({ namespace }) => isDown && namespace === 'a');
    const { namespaces, audited } = await begun({ write });
    await expect(authorize(namespaces, 'a')).rejects.toMatchObject({
      code: 'namespace_not_permitted',
      message: expect.stringContaining('No audit.'),
    });
    isDown = false;
    await authorize(namespaces, 'a');
    await namespaces.end('complete');
    expect(lines(audited)).toEqual(['intent home', 'intent a', 'outcome home', 'outcome a']);
  });

  it('is denied even if the denial itself cannot be written to the audit', async () => {
    const write = failsFor(({ event }) => event === 'denied');
    const { namespaces } = await begun({ access: ana({}), write });
    await expect(authorize(namespaces, 'a')).rejects.toMatchObject({ code: 'namespace_not_permitted' });
  });

  it('does not block other namespaces, and each intent still gets an outcome', async () => {
    const write = failsFor(({ namespace }) => namespace === 'b');
    const { namespaces, audited } = await begun({ write });
    await Promise.allSettled([authorize(namespaces, 'a'), authorize(namespaces, 'b')]);
    await namespaces.end('complete');
    expect(lines(audited)).toEqual(['intent home', 'intent a', 'outcome home', 'outcome a']);
  });
});

describe('a request that ends while a namespace is being checked', () => {
  it('permits no further decryption, and leaves no intent without an outcome', async () => {
    const gate = Promise.withResolvers<void>();
    const write = ({ event, namespace }: AuditEntry) =>
      event === 'intent' && namespace === 'a' ? gate.promise : Promise.resolve();
    const { namespaces, audited } = await begun({ write });
    const asked = authorize(namespaces, 'a');
    const ended = namespaces.end('cut_off');
    gate.resolve();
    await expect(asked).rejects.toMatchObject({ code: 'namespace_not_permitted' });
    await ended;
    expect(lines(audited)).toEqual(['intent home', 'intent a', 'outcome a', 'outcome home']);
  });
});

it("counts payloads and keys in their namespace, and denials in the request's namespace", async () => {
  const access = ana({ home: ['decode'], a: ['decode'] });
  const { namespaces, audited } = await begun({ access });
  await Promise.allSettled([authorize(namespaces, 'a'), authorize(namespaces, 'b')]);
  namespaces.done({ name: 'key-a' }, 2, 'a');
  namespaces.done({ name: 'key-home' });
  namespaces.refused('key_disabled', { key: { name: 'key-a' } }, 'a');
  namespaces.refused('namespace_not_permitted', {}, 'b');
  await namespaces.end('complete');
  const outcome = (of: string) =>
    audited.find(({ event, namespace }) => event === 'outcome' && namespace === of)?.outcome;
  expect(outcome('a')).toMatchObject({
    payloads: 2,
    keys: [{ name: 'key-a', payloads: 2 }],
    refused: { key_disabled: 1 },
  });
  expect(outcome('home')).toMatchObject({
    payloads: 1,
    keys: [{ name: 'key-home', payloads: 1 }],
    refused: { namespace_not_permitted: 1 },
  });
});
