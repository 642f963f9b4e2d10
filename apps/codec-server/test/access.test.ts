import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Access, openAccess } from '../src/access/access.ts';
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

const checked: unknown[] = [];
const refusing: Access = {
  authenticate: () => ({ name: 'ana' }),
  allows: (caller, ...what) => {
    checked.push([caller.name, ...what]);
    return false;
  },
  reveal: () => 'automatic',
  revealMinutes: () => 15,
  signIn: () => undefined,
};
const requiringSignIn: Access = {
  authenticate: () => {
    throw new HttpError(401, 'unauthenticated', 'Sign in.');
  },
  allows: () => true,
  reveal: () => 'automatic',
  revealMinutes: () => 15,
  signIn: () => undefined,
};

describe.each(routes.filter(([, , , needs]) => needs !== 'known' && needs !== 'public'))(
  'the route %s %s',
  (method, _, path, permission, namespace) => {
    it('checks its permission in its namespace first, and answers 403 without it', async () => {
      checked.length = 0;
      const response = await send(refusing, method, path);
      expect(response.status).toBe(403);
      expect(checked).toEqual([['ana', permission, namespace]]);
    });
  },
);

it('requires only a token for /api/me, and no token for /api/sign-in', async () => {
  expect((await send(requiringSignIn, 'GET', '/api/me')).status).toBe(401);
  expect(await (await send(refusing, 'GET', '/api/me')).json()).toEqual({ name: 'ana', namespaces: [] });
  expect(await (await send(requiringSignIn, 'GET', '/api/sign-in')).json()).toEqual({ required: true });
  const open = routes.filter(([, , , needs]) => needs === 'known' || needs === 'public');
  expect(open.map(([, pattern, , needs]) => [pattern, needs])).toEqual([
    ['/api/me', 'known'],
    ['/api/sign-in', 'public'],
  ]);
});

it('states in /api/sign-in that every client may call a server with AUTH=none', async () => {
  expect(await (await send(openAccess, 'GET', '/api/sign-in')).json()).toEqual({ required: false });
});

it('answers 401 before revealing whether a namespace exists', async () => {
  expect((await send(requiringSignIn, 'GET', '/api/namespaces/elsewhere/workflows')).status).toBe(401);
  const elsewhere = { method: 'POST', headers: { ...headers, 'x-namespace': 'elsewhere' }, body: '{}' };
  expect((await appWith(kms, { access: requiringSignIn }).request('/decode', elsewhere)).status).toBe(401);
});

it('answers 404 for a namespace that is not configured, whatever the permissions', async () => {
  const access: Access = {
    authenticate: () => ({ name: 'ana' }),
    allows: () => true,
    reveal: () => 'automatic',
    revealMinutes: () => 15,
    signIn: () => undefined,
  };
  for (const [method, , path] of routes.filter(([, , , , namespace]) => namespace !== undefined)) {
    if (!path.startsWith('/api')) continue;
    const response = await send(access, method, path.replace('payments', 'elsewhere'));
    expect([path, response.status]).toEqual([path, 404]);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  }
});

it('lists in these tests every route of the OpenAPI document', async () => {
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
