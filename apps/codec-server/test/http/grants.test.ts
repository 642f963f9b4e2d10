import { KeyRules } from '@temporal-kms/kms-codec';
import { type Context, Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { decodeFrames } from '../../src/history/decode-stream.ts';
import { exportChunks, type ExportOptions } from '../../src/history/export.ts';
import { searchFrames, type SearchOptions } from '../../src/history/search.ts';
import type { StreamLifetime } from '../../src/history/stream-limits.ts';
import * as authorisation from '../../src/http/authorise.ts';
import { authorise, type Authority, forGrant, requireGrant } from '../../src/http/authorise.ts';
import type { Env } from '../../src/http/context.ts';
import { defineRoute, type Route } from '../../src/http/define-route.ts';
import { NamespaceAccess } from '../../src/http/namespace-access.ts';
import { createRateLimits } from '../../src/http/rate-limits.ts';
import type { CodecProtocol } from '../../src/protocol/codec-protocol.ts';
import type { AuditRoutesOptions } from '../../src/routes/audit.ts';
import { type GrantedServices, grantedServices } from '../../src/routes/granted.ts';
import type { KeyRoutesOptions } from '../../src/routes/keys.ts';
import { codecOf, type RunRoutesOptions } from '../../src/routes/run-stream.ts';
import { ana } from '../support/callers.ts';
import { grantOf } from '../support/grants.ts';
import { keys as cryptoKeys, recordedAudit } from '../support/stack.ts';

declare const services: GrantedServices;
declare const options: RunRoutesOptions;
declare const keys: KeyRoutesOptions;
declare const audit: AuditRoutesOptions;
declare const protocol: CodecProtocol;
declare const authority: Authority;
declare const routes: readonly Route[];
declare const lifetime: StreamLifetime;
declare const searchOptions: Omit<SearchOptions, 'codec'>;
declare const exportOptions: Omit<ExportOptions, 'codec'>;

const response = { description: '', type: 'application/json' } as const;
const route = { method: 'get', operationId: '', summary: '', response } as const;
const path = '/api/namespaces/{namespace}/x';

/** Type tests: `tsc` fails if an expected error is missing. The function is never called. */
export const mistakes = () => [
  defineRoute({
    ...route,
    path,
    requires: 'metadata',
    handler: async (c, { grant }) => {
      services.temporal(grant);
      services.reader(grant);
      // @ts-expect-error -- reading metadata does not permit decryption
      services.codec(grant);
      // @ts-expect-error
      codecOf(c, options, grant);
      // @ts-expect-error
      await NamespaceAccess.begin(c, authority, grant, {});
      // @ts-expect-error
      keys.testKeys(grant);
      // @ts-expect-error
      audit.auditFile?.(grant);
      // @ts-expect-error
      await protocol.decode(c, grant);
      // @ts-expect-error
      return await protocol.encode(c, grant);
    },
  }),
  defineRoute({
    ...route,
    path,
    requires: 'search',
    handler: async (c, { grant }) => {
      const codec = codecOf(c, options, grant);
      const record = await NamespaceAccess.begin(c, authority, grant, {});
      searchFrames({ ...searchOptions, codec });
      // @ts-expect-error -- a search must not return whole payloads
      decodeFrames(codec, options.log, [], lifetime, record);
      // @ts-expect-error
      exportChunks({ ...exportOptions, codec });
      // @ts-expect-error
      return await protocol.decode(c, grant);
    },
  }),
  defineRoute({
    ...route,
    path: '/api/namespaces',
    requires: 'decode',
    handler: async (c, { grant }) => {
      // @ts-expect-error -- the permission in some namespace is not a permission in a particular namespace
      services.codec(grant);
      // @ts-expect-error
      services.temporal(grant);
      // @ts-expect-error
      return await protocol.decode(c, grant);
    },
  }),
  defineRoute({
    ...route,
    path,
    requires: 'known',
    handler: async (c, { grant, parameters }) => {
      // @ts-expect-error -- there is no grant to pass
      services.temporal(grant);
      // @ts-expect-error -- the name of a namespace is not a grant
      services.reader(parameters.namespace);
      const caller = c.get('caller');
      const unawaited = authorise(c, authority, caller, 'decode', parameters.namespace);
      // @ts-expect-error -- without `await`, the value may be a promise of a denial
      services.codec(unawaited);
      // @ts-expect-error -- no other object is a grant
      services.codec({ permission: 'decode', namespace: parameters.namespace });
      // @ts-expect-error
      await routes[0]?.handle(c, parameters, unawaited);
      return await protocol.decode(c, await unawaited);
    },
  }),
];

const settings = { namespace: 'payments', type: 'workflow', workflowId: 'w' } as const;

const unexpected = (): never => {
  throw new Error('unexpected');
};

function servicesOfTest() {
  const calls: string[] = [];
  const called = (what: string) => async (): Promise<never> => {
    calls.push(what);
    return unexpected();
  };
  const granted = grantedServices({
    temporal: {
      list: called('list'),
      count: called('count'),
      describe: called('describe'),
      schedules: called('schedules'),
      schedule: called('schedule'),
      query: called('query'),
    },
    reader: {
      read: called('read'),
      lastEvent: called('lastEvent'),
      lastTasks: called('lastTasks'),
      lastTaskEnd: called('lastTaskEnd'),
    },
    pollers: called('pollers'),
    codec: {
      decrypt: called('decrypt'),
      inspect: unexpected,
      plan: () => ({ kmsCalls: 0 }),
      encodeWithInfo: called('encode'),
      rules: new KeyRules({ orders: { encrypt: cryptoKeys.orders } }),
    },
  });
  return { granted, calls };
}

const { signal } = new AbortController();

/** Calls a route's handler with values that a faulty router could pass. */
async function answer(of: Route, parameters: Record<string, string>, grant: unknown): Promise<number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- passes the wrong value on purpose
  const app = new Hono<Env>().get('/', (c) => of.handle(c, parameters, grant as undefined));
  app.onError((_, c) => c.text('', 500));
  return (await app.request('/')).status;
}

describe('a route', () => {
  const ran: unknown[] = [];
  const handler = (c: Context<Env>, { grant }: { grant: unknown }): Response => {
    ran.push(grant);
    return c.text('');
  };
  const reading = defineRoute({ ...route, path, requires: 'metadata', handler });
  const listing = defineRoute({ ...route, path: '/api/x', requires: 'metadata', handler });
  const inOrders = { namespace: 'orders' };

  it('does not run its handler without a grant, with a promise of a grant, or with a forged grant', async () => {
    const grant = await grantOf('metadata', 'orders');
    const forged = [
      { permission: 'metadata', namespace: 'orders' },
      Object.create(grant),
      Object.assign({}, grant),
      true,
    ];
    const denied = Promise.reject(new Error('denied'));
    denied.catch(() => undefined);
    for (const mistake of [undefined, null, denied, Promise.resolve(grant), ...forged])
      expect(await answer(reading, inOrders, mistake)).toBe(500);
    expect(ran).toEqual([]);
    expect(await answer(reading, inOrders, grant)).toBe(200);
    expect(ran.splice(0)).toEqual([grant]);
  });

  it('does not run its handler with the grant for another permission or namespace', async () => {
    const elsewhere = await grantOf('metadata', 'payments');
    const nowhere = await grantOf('metadata', undefined);
    for (const permission of ['decode', 'encode', 'search', 'export', 'query', 'audit'] as const)
      expect(await answer(reading, inOrders, await grantOf(permission, 'orders'))).toBe(500);
    expect(await answer(reading, inOrders, elsewhere)).toBe(500);
    expect(await answer(reading, inOrders, nowhere)).toBe(500);
    expect(await answer(listing, {}, elsewhere)).toBe(500);
    expect(ran).toEqual([]);
  });
});

describe('a grant', () => {
  it('is not given to a caller who lacks the permission in the requested namespace', async () => {
    const recorded = recordedAudit();
    const app = new Hono<Env>();
    const made: unknown[] = [];
    app.get('/', async (c) => {
      const deps = {
        access: ana({ orders: ['decode'] }),
        audit: recorded.audit,
        rates: createRateLimits({}),
      };
      const caller = { name: 'ana' };
      made.push(await authorise(c, deps, caller, 'decode', 'orders'));
      for (const [permission, namespace] of [
        ['decode', 'payments'],
        ['export', 'orders'],
        ['decode', undefined],
      ] as const) {
        await expect(authorise(c, deps, caller, permission, namespace)).rejects.toMatchObject({
          code: 'forbidden',
        });
      }
      return c.text('');
    });
    expect((await app.request('/')).status).toBe(200);
    expect(made).toMatchObject([{ permission: 'decode', namespace: 'orders' }]);
    expect(recorded.entries).toHaveLength(3);
  });

  it('does not permit reading another namespace', async () => {
    const { granted, calls } = servicesOfTest();
    const grant = await grantOf('metadata', 'orders');
    const { namespace, workflowId } = settings;
    const temporal = granted.temporal(grant);
    const memory = { share: 0, reserve: () => undefined };
    await expect(temporal.list({ namespace }, signal, memory)).rejects.toThrow(Error);
    await expect(temporal.count({ namespace }, signal)).rejects.toThrow(Error);
    await expect(temporal.describe({ namespace, execution: {} }, signal)).rejects.toThrow(Error);
    await expect(temporal.describe({ execution: {} }, signal)).rejects.toThrow(Error);
    const run = { namespace, workflowId, runId: 'r' };
    await expect(granted.reader(grant).read(run, 1, signal)).rejects.toThrow(Error);
    expect(calls).toEqual([]);
    await expect(temporal.list({ namespace: 'orders' }, signal, memory)).rejects.toThrow('unexpected');
    expect(calls).toEqual(['list']);
  });

  it('does not permit queries or encryption with another permission or in another namespace', async () => {
    const { granted, calls } = servicesOfTest();
    const memory = { share: 0, reserve: () => undefined };
    const decoding = await grantOf('decode', 'orders');
    // @ts-expect-error -- the grant is for another permission
    expect(() => granted.queries(decoding)).toThrow(Error);
    // @ts-expect-error
    expect(() => granted.encoder(decoding)).toThrow(Error);
    const queries = granted.queries(await grantOf('query', 'orders'));
    await expect(queries.query({ namespace: 'payments' }, signal, memory)).rejects.toThrow(Error);
    expect(calls).toEqual([]);
  });

  it('does not permit decryption in another namespace', async () => {
    const { granted, calls } = servicesOfTest();
    const codec = granted.codec(await grantOf('export', 'orders'));
    await expect(codec.decrypt({}, settings)).rejects.toThrow(Error);
    await expect(codec.decrypt({})).rejects.toThrow(Error);
    expect(calls).toEqual([]);
  });

  it.each(['metadata', 'encode', 'query', 'audit'] as const)(
    'for %s does not permit decryption',
    async (permission) => {
      const { granted } = servicesOfTest();
      const grant = await grantOf(permission, 'orders');
      // @ts-expect-error -- the grant is for another permission
      expect(() => granted.codec(grant)).toThrow(Error);
    },
  );

  it.each(['metadata', 'decode', 'search', 'export', 'encode'] as const)(
    'for %s does not permit reading the audit',
    async (permission) => {
      const open = forGrant(['audit'], () => 'the audit');
      const grant = await grantOf(permission, 'orders');
      // @ts-expect-error -- the grant is for another permission
      expect(() => open(grant)).toThrow(Error);
      expect(open(await grantOf('audit', 'orders'))).toBe('the audit');
    },
  );

  it('permits nothing in a specific namespace if it names no namespace', async () => {
    const { granted } = servicesOfTest();
    const grant = await grantOf('decode', undefined);
    // @ts-expect-error -- the grant names no namespace
    expect(() => granted.codec(grant)).toThrow(Error);
    // @ts-expect-error
    expect(() => granted.temporal(grant)).toThrow(Error);
  });

  it('cannot be forged', async () => {
    const grant = await grantOf('decode', 'orders');
    // @ts-expect-error -- the module exports the type, not the class
    expect(authorisation.Grant).toBeUndefined();
    const forged = { permission: 'decode', namespace: 'payments' };
    // @ts-expect-error -- the object lacks the private fields of a grant
    expect(() => requireGrant(forged, ['decode'])).toThrow(Error);
    expect(() => requireGrant(Object.create(grant, {}), ['decode'])).toThrow(Error);
    requireGrant(grant, ['decode']);
  });
});
