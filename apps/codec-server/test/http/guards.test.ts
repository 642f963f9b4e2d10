import { describe, expect, it } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { invalidToken } from '../../src/access/tokens.ts';
import type { AppDeps } from '../../src/app.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { appWith, headers, HOST, PAGE, post, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const kms = forFile(await startKms());

const empty = '{"payloads":[]}';

const request = (path: string, head: Record<string, string>, body = empty, method = 'POST') =>
  appWith(kms).request(path, { method, headers: head, ...(method === 'POST' ? { body } : {}) });

const preflight = (head: Record<string, string>) =>
  request('/decode?preserveStorageRefs=true', { host: HOST, ...head }, undefined, 'OPTIONS');

const posts = ['/decode', '/encode', `${RUN}/payloads:decode`];
const gets = [
  '/api/namespaces',
  '/api/namespaces/payments/workflows',
  '/api/namespaces/payments/workflows:count',
  '/api/namespaces/payments/workflows/w',
  `${RUN}/history`,
  '/api/health',
];

describe('cross-site requests', () => {
  const attacks: [string, Record<string, string>, number][] = [
    ['a host name that was rebound to loopback', { host: 'evil.example:8088' }, 403],
    ['a port that is not ours', { host: '127.0.0.1:9999' }, 403],
    ['no Host', { host: '' }, 403],
    ["another page's Origin", { origin: 'https://evil.example' }, 403],
    ['an Origin that begins like an allowed Origin', { origin: `${PAGE}.evil.example` }, 403],
    ['the Origin of a sandboxed frame or a file', { origin: 'null' }, 403],
    ['text, which needs no preflight', { 'content-type': 'text/plain' }, 415],
    ['a form, which needs no preflight', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['a type that only begins like JSON', { 'content-type': 'application/jsonp' }, 415],
    ['JSON in the parameters of another type', { 'content-type': 'text/plain; a=application/json' }, 415],
  ];

  describe.each(posts)('POST %s', (path) => {
    it.each(attacks)('rejects %s', async (_, changed, status) => {
      const response = await request(path, { ...headers, ...changed });
      expect(response.status).toBe(status);
    });
  });

  describe.each(gets)('GET %s', (path) => {
    it.each(attacks.filter(([, , status]) => status === 403))('rejects %s', async (_, changed, status) => {
      const response = await request(path, { ...headers, ...changed }, undefined, 'GET');
      expect(response.status).toBe(status);
    });
  });

  it('sends no CORS header to an origin that is not listed', async () => {
    const response = await request('/decode', { ...headers, origin: 'https://evil.example' });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('serves the probes and the version with any Host header', async () => {
    for (const path of ['/healthz', '/readyz', '/version']) {
      const response = await request(path, { host: '10.1.2.3:8088' }, undefined, 'GET');
      expect(response.status).toBe(200);
    }
  });
});

describe('a page on the server’s own origin', () => {
  it.each([`http://${HOST}`, `https://${HOST}`])('may send requests with the Origin %s', async (origin) => {
    const response = await request('/decode', { ...headers, origin });
    expect(response.status).toBe(200);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('gets no CORS headers for a preflight, because browsers send a preflight only to other origins', async () => {
    const response = await preflight({ origin: `https://${HOST}` });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each([
    'http://127.0.0.1:9999',
    'http://127.0.0.1',
    'http://127.0.0.1:80880',
    `http://user@${HOST}`,
    `ws://${HOST}`,
    HOST,
    `http://http://${HOST}`,
  ])('is not recognized from the Origin %s, which gets 403', async (origin) => {
    expect((await request('/decode', { ...headers, origin })).status).toBe(403);
  });

  it('is rejected if its request has a Host that the server does not accept', async () => {
    const evil = { host: 'evil.example:8088', origin: 'http://evil.example:8088' };
    expect((await request('/decode', { ...headers, ...evil })).status).toBe(403);
  });
});

describe('a page on another origin', () => {
  it('gets a preflight response for every header that the Web UI sends', async () => {
    const response = await preflight({
      origin: PAGE,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,authorization-extras,content-type,x-namespace',
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
    expect(response.headers.get('access-control-allow-methods')).toContain('POST');
    const allowed = response.headers.get('access-control-allow-headers')!.toLowerCase().split(', ');
    expect(allowed.toSorted()).toEqual([
      'authorization',
      'authorization-extras',
      'content-type',
      'traceparent',
      'tracestate',
      'x-namespace',
      'x-reveal-justification',
    ]);
    expect(response.headers.get('vary')).toBe('Origin');
  });

  it('gets no preflight response if its origin is not listed', async () => {
    expect((await preflight({ origin: 'https://evil.example' })).status).toBe(403);
  });

  it.each([
    ['success', {}, empty, 200],
    ['a body that is not JSON', {}, '{', 400],
    ['a missing namespace', { 'x-namespace': '' }, empty, 400],
    ['text', { 'content-type': 'text/plain' }, empty, 415],
    ['an unknown path', {}, empty, 404],
  ])('can read the status of the response to %s', async (what, changed, body, status) => {
    const path = what === 'an unknown path' ? '/nowhere' : '/decode';
    const response = await request(path, { ...headers, origin: PAGE, ...changed }, body);
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
  });
});

describe('a response', () => {
  it.each([...posts, ...gets, '/nowhere'])('of %s forbids caching, sniffing and framing', async (path) => {
    const response = await request(path, headers, empty, posts.includes(path) ? 'POST' : 'GET');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    );
    expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('keeps an unexpected error’s message out of the response and the log', async () => {
    const { log, lines } = keptLog();
    const app = appWith(kms, { log });
    const response = await app.request('/api/namespaces/payments/workflows?query=secret-term', { headers });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: { code: 'internal', message: 'The server failed. The server log contains the cause.' },
    });
    expect(lines.join('')).not.toContain('secret-term');
    expect(lines.join('')).not.toContain('Temporal was asked');
    expect(lines.join('')).toMatch(/"stack":"\s+at /);
  });
});

describe('a body', () => {
  it.each([
    ['has a Content-Length above the limit', { 'content-length': String(17 * 1024 * 1024) }, empty],
    ['is too long and has no Content-Length', {}, ' '.repeat(17 * 1024 * 1024)],
    ['has a Content-Length that is not a number', { 'content-length': 'many' }, empty],
  ])('is rejected if it %s', async (_, changed, body) => {
    const response = await request('/decode', { ...headers, ...changed }, body);
    expect(response.status).toBe(413);
    expect(await response.text()).toContain('16777216 bytes');
  });
});

describe('the request log', () => {
  it('contains rejected and failed requests, and contains successful requests only at level debug', async () => {
    const { log, lines } = keptLog();
    log.level = 'debug';
    const app = appWith(kms, { log });
    await post(app, '/decode', empty);
    await post(app, '/decode', '');
    await app.request('/api/namespaces/payments/workflows', { headers });
    const answered = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'request');
    expect(answered.map(({ severity, status }) => [severity, status])).toEqual([
      ['DEBUG', 200],
      ['INFO', 400],
      ['WARNING', 500],
    ]);
  });

  it('contains the reason for a rejection, or only its code if the reason could contain data from the caller', async () => {
    const { log, lines } = keptLog();
    const access: AppDeps['access'] = {
      ...openAccess,
      authenticate: () => {
        throw invalidToken('it was made for another server (aud)');
      },
    };
    await appWith(kms, { log, access }).request('/api/me', { headers });
    const app = appWith(kms, { log });
    await post(app, '/decode', '', { host: 'evil.example' });
    await app.request('/api/namespaces/payments/workflows/order-88213?runId=bad-run-id', { headers });
    expect(lines.map((line) => JSON.parse(line)).map(({ code, reason }) => [code, reason])).toEqual([
      ['unauthenticated', 'The token is refused: it was made for another server (aud).'],
      ['forbidden', expect.stringContaining('CODEC_ALLOWED_HOSTS')],
      ['bad_request', undefined],
    ]);
  });

  it('has one line per request with the method, route pattern, status and time, but no content', async () => {
    const { log, lines } = keptLog();
    const app = appWith(kms, { log });
    const token = { authorization: 'Bearer token-7f3a' };
    await post(app, '//decode?secret=query-91', '{"payloads":["body-5e"]}', token);
    await app.request('/api/namespaces/payments/workflows/order-88213?runId=bad-run-id', {
      headers: { ...headers, ...token },
    });
    const logged = lines.map((line) => JSON.parse(line));
    expect(logged.map(({ method, route, status }) => [method, route, status])).toEqual([
      ['POST', '/decode', 400],
      ['GET', '/api/namespaces/:namespace/workflows/:workflowId', 400],
    ]);
    for (const line of logged) expect(line.ms).toBeTypeOf('number');
    expect(lines.join('')).not.toMatch(/token-7f3a|query-91|body-5e|order-88213|bad-run-id/);
  });
});

describe('a server that is shutting down', () => {
  it('rejects new requests, and returns 503 from the readiness probe', async () => {
    const app = appWith(kms, { stopping: AbortSignal.abort() });
    const decode = await post(app, '/decode', empty);
    expect([decode.status, decode.headers.get('retry-after')]).toEqual([503, '1']);
    const list = await app.request('/api/namespaces', { headers });
    expect(await list.json()).toMatchObject({ error: { code: 'shutting_down' } });
    expect((await app.request('/readyz')).status).toBe(503);
    expect((await app.request('/healthz')).status).toBe(200);
  });
});
