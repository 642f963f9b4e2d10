import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { pageHeaders } from '@temporal-kms/codec-api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import type { AppDeps } from '../../src/app.ts';
import { type DashboardOptions, openDashboard } from '../../src/routes/dashboard.ts';
import { serveApp, type Served } from '../support/served.ts';
import { type Kms, noAccess, startKms } from '../support/stack.ts';

const PAGE = '<!doctype html><script type="module" src="/assets/main-1a2b.js"></script><div id="root"></div>';
const SCRIPT = `export const text = '${'x'.repeat(2000)}';`;
const SECRET = 'canary-outside';

let kms: Kms;
let parent: string;
let folder: string;
beforeAll(async () => {
  kms = await startKms();
});
afterAll(() => kms.close());

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'codec-dashboard-'));
  folder = join(parent, 'dist');
  await mkdir(join(folder, 'assets'), { recursive: true });
  await mkdir(join(folder, '.vite'));
  await mkdir(join(folder, 'api'));
  const files: [name: string, content: string | Uint8Array][] = [
    ['index.html', PAGE],
    ['config.json', '{"apiUrl":"https://other.example"}'],
    ['early.js', 'void 0;'],
    ['encode', 'a file with the name of a route'],
    ['api/health.json', 'a file with the path of a route'],
    ['.vite/manifest.json', '{}'],
    ['assets/main-1a2b.js', SCRIPT],
    ['assets/main-1a2b.js.br', brotliCompressSync(SCRIPT)],
    ['assets/main-1a2b.js.gz', gzipSync(SCRIPT)],
    ['assets/font-3c4d.woff2', 'font'],
    ['../secret.txt', SECRET],
    ['../secret.js', SECRET],
  ];
  for (const [name, content] of files) await writeFile(join(folder, name), content);
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const options = (more: Partial<DashboardOptions> = {}): DashboardOptions => ({
  folder,
  pathPrefix: '',
  connectSources: [],
  frameSources: [],
  ...more,
});

async function start(more: Partial<DashboardOptions> = {}, deps: Partial<AppDeps> = {}): Promise<Served> {
  const dashboard = await openDashboard(options(more));
  return serveApp(kms, { dashboard, pathPrefix: more.pathPrefix ?? '', ...deps });
}

/** Sends a path unchanged, because `fetch` would resolve dots. */
async function askFor(
  { port }: Served,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ host: '127.0.0.1', port, path, method, headers, agent: false }, resolve)
    .on('error', reject)
    .end();
  const response = await promise;
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

const pages = [
  '/',
  '/ns/payments/workflows',
  '/ns/payments/workflows/a%2Fb/run?ev=5',
  '/namespaces/payments/workflows/a%2Fb/run/history',
  '/sign-in',
  '/signed-out',
];
const routes = [
  '/api',
  '/api/',
  '/api/none',
  '/api/health.json',
  '/encode',
  '/decode',
  '/download',
  '/metrics',
  '/ns/encode',
  '/ns/decode',
  '/namespaces/payments',
  '/namespaces/payments/encode',
];

describe('the dashboard on the codec server', () => {
  it('is off by default', async () => {
    const server = await serveApp(kms, {});
    for (const path of [...pages, '/assets/main-1a2b.js', '/config.json', '/index.html'])
      expect((await fetch(server.url + path)).status, path).toBe(404);
  });

  it.each(pages)(
    'returns the page for %s, and makes browsers revalidate the page each time',
    async (path) => {
      const server = await start();
      const response = await fetch(server.url + path);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(PAGE);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        ...lowerCase(pageHeaders()),
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
      });
      expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|data:|blob:|\*/);
    },
  );

  it('lets browsers cache only files whose names contain a hash', async () => {
    const server = await start();
    const cached = async (path: string) => {
      const response = await fetch(server.url + path);
      return [response.status, response.headers.get('cache-control'), response.headers.get('content-type')];
    };
    const forEver = 'public, max-age=31536000, immutable';
    expect(await cached('/assets/main-1a2b.js')).toEqual([200, forEver, 'text/javascript; charset=utf-8']);
    expect(await cached('/assets/font-3c4d.woff2')).toEqual([200, forEver, 'font/woff2']);
    expect(await cached('/early.js')).toEqual([200, 'no-cache', 'text/javascript; charset=utf-8']);
    expect(await cached('/config.json')).toEqual([200, 'no-store', 'application/json']);
    expect(await cached('/assets/main-9z8y.js')).toEqual([404, 'no-store', 'text/plain; charset=utf-8']);
  });

  it.each([
    ['br, gzip', 'br'],
    ['gzip', 'gzip'],
    ['identity', null],
    ['br;q=0', null],
  ])('with Accept-Encoding: %s, sends the encoding %s', async (accepted, encoding) => {
    const server = await start();
    const response = await fetch(`${server.url}/assets/main-1a2b.js`, {
      headers: { 'accept-encoding': accepted },
    });
    expect(response.headers.get('content-encoding')).toBe(encoding);
    expect(response.headers.get('vary')).toContain('Accept-Encoding');
    expect(await response.text()).toBe(SCRIPT);
  });

  it.each(['/', '/assets/main-1a2b.js', '/config.json'])('returns no body for HEAD %s', async (path) => {
    const server = await start();
    const get = await askFor(server, path);
    const head = await askFor(server, path, 'HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
    expect(head.headers).toEqual({ ...get.headers, date: head.headers.date });
    expect(get.body.length).toBeGreaterThan(5);
  });

  it.each(routes)('does not return the page for %s', async (path) => {
    const server = await start({}, { namespacePaths: true });
    const response = await fetch(server.url + path);
    expect([400, 404, 405]).toContain(response.status);
    expect(await response.text()).not.toMatch(/<div|a file with/);
    expect(response.headers.get('content-security-policy')).toContain('sandbox');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PROPFIND'])('does not return a file for %s', async (method) => {
    const server = await start();
    for (const path of ['/', '/assets/main-1a2b.js', '/ns/payments/workflows']) {
      const { status, body } = await askFor(server, path, method, { 'content-type': 'application/json' });
      expect(status, path).toBeGreaterThanOrEqual(404);
      expect(body, path).not.toMatch(/<div|export const/);
    }
  });

  it('still serves the codec protocol in a namespace that has the name of a page', async () => {
    const server = await start({}, { access: noAccess });
    const response = await fetch(`${server.url}/decode`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-namespace': 'payments' },
      body: '{"payloads":[]}',
    });
    expect(response.status).toBe(401);
  });

  it('requires a token for everything except files', async () => {
    const server = await start({}, { access: noAccess });
    expect((await fetch(`${server.url}/`)).status).toBe(200);
    expect((await fetch(`${server.url}/assets/main-1a2b.js`)).status).toBe(200);
    expect((await fetch(`${server.url}/api/namespaces`)).status).toBe(401);
  });

  it.each([{ host: 'evil.example' }, { origin: 'https://evil.example' }])(
    'refuses files with %j',
    async (headers) => {
      const server = await start();
      for (const path of ['/', '/assets/main-1a2b.js', '/config.json'])
        expect((await askFor(server, path, 'GET', headers)).status, path).toBe(403);
    },
  );
});

describe('the dashboard folder', () => {
  const paths = [
    '/../secret.txt',
    '/../secret.js',
    '/assets/../../secret.js',
    '/assets/..%2f..%2fsecret.js',
    '/assets/%2e%2e/%2e%2e/secret.js',
    '/assets/%252e%252e/%252e%252e/secret.js',
    '/assets/..%5c..%5csecret.js',
    '/assets/..\\..\\secret.js',
    '/assets/%c0%ae%c0%ae/%c0%ae%c0%ae/secret.js',
    '/assets//../../secret.js',
    '//assets/main-1a2b.js',
    '/assets/main-1a2b.js%00',
    '/assets/main-1a2b.js%00.css',
    '/assets/main-1a2b.js/',
    '/assets/main-1a2b.js.br',
    '/assets',
    '/assets/',
    '/.vite/manifest.json',
    '/%2evite/manifest.json',
    '/encode',
    '/etc/passwd',
    '/%2fetc%2fpasswd',
    '/C:/Windows/win.ini',
    '//evil.example/%2e%2e',
    '/index.html/../../secret.txt',
  ];
  it.each(paths)('cannot be escaped or listed with the path %s', async (path) => {
    const server = await start();
    const { status, body } = await askFor(server, path);
    expect([400, 404, 405]).toContain(status);
    expect(body).not.toMatch(/canary|root:|manifest|main-1a2b|a file with/);
  });

  it('cannot be escaped with a path below a prefix', async () => {
    const server = await start({ pathPrefix: '/tools/kms' });
    for (const path of paths) {
      const { body } = await askFor(server, `/tools/kms${path}`);
      expect(body, path).not.toMatch(/canary|root:|manifest|a file with/);
    }
  });

  it.each([
    ['a file', () => symlink('../../secret.js', join(folder, 'assets/link-5e6f.js'))],
    ['a compressed file', () => symlink('../../secret.js', join(folder, 'assets/font-3c4d.woff2.br'))],
    ['a folder', () => symlink('..', join(folder, 'up'))],
  ])('may not contain a symbolic link as %s', async (_, link) => {
    await link();
    await expect(openDashboard(options())).rejects.toThrow('is a symbolic link');
  });

  it('may itself be reached through a symbolic link', async () => {
    await symlink('dist', join(parent, 'current'));
    const server = await start({ folder: join(parent, 'current') });
    expect((await fetch(`${server.url}/assets/main-1a2b.js`)).status).toBe(200);
  });

  it.each([
    [
      'a file',
      async () => {
        await rm(join(folder, 'assets/main-1a2b.js'));
        await symlink('../../secret.js', join(folder, 'assets/main-1a2b.js'));
      },
    ],
    [
      'a compressed file',
      async () => {
        await rm(join(folder, 'assets/main-1a2b.js.br'));
        await symlink('../../secret.js', join(folder, 'assets/main-1a2b.js.br'));
      },
    ],
    [
      'the folder of assets',
      async () => {
        await rename(join(folder, 'assets'), join(parent, 'moved'));
        await symlink('../moved', join(folder, 'assets'));
      },
    ],
  ])(
    'cannot be escaped if %s is replaced by a link to another folder while the server runs',
    async (_, replace) => {
      const server = await start();
      await replace();
      const response = await fetch(`${server.url}/assets/main-1a2b.js`, {
        headers: { 'accept-encoding': 'br' },
      });
      expect(response.status).toBe(404);
    },
  );

  it('serves no file that was added while the server runs', async () => {
    const server = await start();
    await writeFile(join(folder, 'assets/late-7a8b.js'), SECRET);
    expect((await fetch(`${server.url}/assets/late-7a8b.js`)).status).toBe(404);
  });

  it('returns 404 for a file that was removed while the server runs', async () => {
    const server = await start();
    await rm(join(folder, 'assets/font-3c4d.woff2'));
    expect((await fetch(`${server.url}/assets/font-3c4d.woff2`)).status).toBe(404);
  });

  it('must contain a dashboard build', async () => {
    await expect(openDashboard(options({ folder: parent }))).rejects.toThrow(
      'does not contain a dashboard build',
    );
    await expect(openDashboard(options({ folder: join(parent, 'none') }))).rejects.toThrow('ENOENT');
  });
});

describe('a dashboard below a prefix', () => {
  it('serves its page, files and configuration only below the prefix', async () => {
    const server = await start({ pathPrefix: '/tools/kms' });
    const page = await fetch(`${server.url}/tools/kms/ns/payments/workflows`);
    expect(await page.text()).toBe(PAGE.replace('="/', '="/tools/kms/'));
    expect(
      (await fetch(`${server.url}/tools/kms/assets/main-1a2b.js`)).headers.get('cache-control'),
    ).toContain('immutable');
    expect((await fetch(`${server.url}/tools/kms/config.json`)).headers.get('cache-control')).toBe(
      'no-store',
    );
    for (const path of ['/', '/assets/main-1a2b.js', '/config.json', '/tools/kmsx/', '/tools/'])
      expect((await fetch(server.url + path)).status, path).toBe(404);
  });

  it('redirects the prefix without a slash to the page', async () => {
    const server = await start({ pathPrefix: '/tools/kms' });
    const response = await fetch(`${server.url}/tools/kms`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([308, '/tools/kms/']);
  });
});

const config = async (more: Partial<DashboardOptions>) =>
  (await fetch(`${(await start(more)).url}/config.json`)).json();

describe('the dashboard’s configuration', () => {
  it('contains this server and Temporal’s Web UI, whatever the folder contains', async () => {
    expect(await config({})).toEqual({ apiUrl: '' });
    const temporalUiUrl = 'https://temporal.example';
    expect(await config({ temporalUiUrl })).toEqual({ apiUrl: '', temporalUiUrl });
  });

  it('permits the sign-in issuer and origins that the operator lists', async () => {
    const signIn = {
      issuer: 'https://login.example/realms/a',
      clientId: 'c',
      scopes: [],
      token: 'id' as const,
    };
    const server = await start(
      { connectSources: ['https://token.example'], frameSources: ['https://frame.example'] },
      { access: { ...openAccess, signIn: () => signIn } },
    );
    const policy = (await fetch(server.url)).headers.get('content-security-policy');
    expect(policy).toContain("connect-src 'self' https://login.example https://token.example;");
    expect(policy).toContain("frame-src 'self' https://login.example https://frame.example;");
  });
});

const lowerCase = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
