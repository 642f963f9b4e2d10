import { expect, it } from 'vitest';
import { type Access, openAccess } from '../src/access/access.ts';
import { ana } from './support/callers.ts';
import { forFile } from './support/for-file.ts';
import { routes } from './support/routes.ts';
import { appWith, headers, noAccess, post, startKms } from './support/stack.ts';

const kms = forFile(await startKms());

const send = (access: Access, method: string, path: string) =>
  appWith(kms, { access }).request(path, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) });

it('requires a token but no permission for /api/me, and no token for /api/sign-in', async () => {
  expect((await send(noAccess, 'GET', '/api/me')).status).toBe(401);
  expect(await (await send(ana({}), 'GET', '/api/me')).json()).toEqual({ name: 'ana', namespaces: [] });
  expect(await (await send(noAccess, 'GET', '/api/sign-in')).json()).toEqual({ required: true });
  const open = routes.filter(([, , , needs]) => needs === 'known' || needs === 'public');
  expect(open.map(([, pattern, , needs]) => [pattern, needs])).toEqual([
    ['/api/me', 'known'],
    ['/api/sign-in', 'public'],
  ]);
});

it('states in /api/sign-in that every client may call a server with AUTH=none', async () => {
  expect(await (await send(openAccess, 'GET', '/api/sign-in')).json()).toEqual({ required: false });
});

it('returns 401 without revealing whether a namespace exists', async () => {
  expect((await send(noAccess, 'GET', '/api/namespaces/elsewhere/workflows')).status).toBe(401);
  const elsewhere = { 'x-namespace': 'elsewhere' };
  expect((await post(appWith(kms, { access: noAccess }), '/decode', '{}', elsewhere)).status).toBe(401);
});

it('returns 404 for a namespace that is not configured, whatever the permissions', async () => {
  for (const [method, , path] of routes.filter(([, , , , namespace]) => namespace !== undefined)) {
    if (!path.startsWith('/api')) continue;
    const response = await send(openAccess, method, path.replace('payments', 'elsewhere'));
    expect([path, response.status]).toEqual([path, 404]);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  }
});

it('covers every route of the OpenAPI document with these tests', async () => {
  const response = await appWith(kms).request('/api/openapi.json', { headers });
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
