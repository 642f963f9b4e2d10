import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Access } from '../src/access/access.ts';
import { HttpError } from '../src/errors.ts';
import { routes } from './support/routes.ts';
import { appWith, HOST, type Kms, startKms } from './support/stack.ts';

let kms: Kms;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

const headers = { host: HOST, 'content-type': 'application/json', 'x-namespace': 'payments' };

const send = (access: Access, method: string, path: string) =>
  appWith(kms, { access }).request(path, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) });

const asked: unknown[] = [];
const refusing: Access = {
  authenticate: () => ({ name: 'ana' }),
  allows: (caller, ...what) => {
    asked.push([caller.name, ...what]);
    return false;
  },
  reveal: () => 'automatic',
  signIn: () => undefined,
};
const asking: Access = {
  authenticate: () => {
    throw new HttpError(401, 'unauthenticated', 'Sign in.');
  },
  allows: () => true,
  reveal: () => 'automatic',
  signIn: () => undefined,
};

describe.each(routes.filter(([, , , needs]) => needs !== 'known' && needs !== 'public'))(
  '%s %s',
  (method, _, path, permission, namespace) => {
    test('asks for its permission in its namespace before it does anything, and is 403 without', async () => {
      asked.length = 0;
      const response = await send(refusing, method, path);
      expect(response.status).toBe(403);
      expect(asked).toEqual([['ana', permission, namespace]]);
    });

    test('does nothing for a caller who does not say who they are', async () => {
      expect((await send(asking, method, path)).status).toBe(401);
    });
  },
);

test('who one is takes a token and no permission; how to sign in takes neither', async () => {
  expect((await send(asking, 'GET', '/api/me')).status).toBe(401);
  expect(await (await send(refusing, 'GET', '/api/me')).json()).toEqual({ name: 'ana', namespaces: [] });
  expect(await (await send(asking, 'GET', '/api/sign-in')).json()).toEqual({});
  const open = routes.filter(([, , , needs]) => needs === 'known' || needs === 'public');
  expect(open.map(([, pattern, , needs]) => [pattern, needs])).toEqual([
    ['/api/me', 'known'],
    ['/api/sign-in', 'public'],
  ]);
});

test('which namespaces there are is told to nobody who is not known', async () => {
  expect((await send(asking, 'GET', '/api/namespaces/elsewhere/workflows')).status).toBe(401);
  const elsewhere = { method: 'POST', headers: { ...headers, 'x-namespace': 'elsewhere' }, body: '{}' };
  expect((await appWith(kms, { access: asking }).request('/decode', elsewhere)).status).toBe(401);
});

test('lists the namespaces that the caller may read', async () => {
  const access: Access = {
    authenticate: () => ({ name: 'ana' }),
    allows: (_, __, namespace) => namespace !== 'payments',
    reveal: () => 'automatic',
    signIn: () => undefined,
  };
  const response = await send(access, 'GET', '/api/namespaces');
  expect(await response.json()).toEqual({ namespaces: [{ name: 'orders' }], default: 'orders' });
});

test('serves no namespace that is not configured, whoever asks', async () => {
  const access: Access = {
    authenticate: () => ({ name: 'ana' }),
    allows: () => true,
    reveal: () => 'automatic',
    signIn: () => undefined,
  };
  for (const [method, , path] of routes.filter(([, , , , namespace]) => namespace !== undefined)) {
    if (!path.startsWith('/api')) continue;
    const response = await send(access, method, path.replace('payments', 'elsewhere'));
    expect([path, response.status]).toEqual([path, 404]);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  }
});

// The router and the document are made of the same list.
test('these are all the routes of the API', async () => {
  const response = await appWith(kms).request('/api/openapi.json', { headers: { host: HOST } });
  const { paths }: any = await response.json();
  const served = Object.entries<object>(paths)
    .filter(([path]) => path.startsWith('/api'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
  const listed = routes
    .filter(([, pattern]) => pattern.startsWith('/api'))
    .map(([method, pattern]) => `${method} ${pattern}`);
  expect(served.toSorted()).toEqual(listed.toSorted());
});
