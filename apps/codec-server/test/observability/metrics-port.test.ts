import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { listen } from '../../src/server/listen.ts';
import { metricsApp } from '../../src/routes/monitoring.ts';
import { ask } from '../support/ask-raw.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';

const METRICS = 'codec_open_streams 0\n';
const SCRAPED = 'codec.monitoring.svc:9464';
let broken = false;

const server = forFile(
  await listen({
    host: '::',
    port: 0,
    app: (port) =>
      metricsApp(
        {
          text: async () => {
            if (broken) throw new Error('canary-of-the-metrics');
            return METRICS;
          },
        },
        {
          hosts: [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, SCRAPED],
          kms: { last: () => ({ status: 'ok' as const }) },
          emulator: false,
          stopping: new AbortController().signal,
          log: keptLog().log,
        },
      ),
  }),
);

/** Sends a request exactly as written, and returns the response. */
const to = async (method: string, path: string, head: readonly string[], address = '127.0.0.1') =>
  ask({ host: address, port: server.port }, `${method} ${path} HTTP/1.1`, [...head, 'Connection: close']);
const scrape = (host: string, address?: string) => to('GET', '/metrics', [`Host: ${host}`], address);
const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address;

describe('the metrics port', () => {
  it.each(['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]'])(
    'serves metrics if the Host header names %s',
    async (name) => {
      expect(await scrape(`${name}:${server.port}`)).toMatchObject({ status: 200, body: METRICS });
    },
  );

  it('serves metrics to a scraper that uses a name in the configured list', async () => {
    expect(await scrape(SCRAPED)).toMatchObject({ status: 200, body: METRICS });
  });

  it('serves metrics to a scraper that uses the address of the connection', async () => {
    expect(await scrape(`[::1]:${server.port}`, '::1')).toMatchObject({ status: 200 });
    expect(await scrape(`127.0.0.2:${server.port}`, '127.0.0.2')).toMatchObject({ status: 200 });
    if (elsewhere !== undefined) {
      expect(await scrape(`${elsewhere}:${server.port}`, elsewhere)).toMatchObject({ status: 200 });
    }
  });

  it.each([
    'rebound.example.com',
    'rebound.example.com:PORT',
    'localhost.example.com:PORT',
    'localhost.:PORT',
    'localhost:1',
    'localhost',
    '127.0.0.1',
    '127.0.0.1:PORT.example.com',
    '127.0.0.1:PORT@example.com',
    '127.1:PORT',
    '2130706433:PORT',
    '0x7f000001:PORT',
    '0.0.0.0:PORT',
    '127.0.0.2:PORT',
    '[::]:PORT',
    '[::ffff:127.0.0.1]:PORT',
    '169.254.169.254:PORT',
    'undefined:PORT',
    'codec.monitoring.svc',
    '*',
    '',
  ])('refuses metrics if the Host header names "%s"', async (host) => {
    const answer = await scrape(host.replace('PORT', String(server.port)));
    // The status is 400 if the value is not a valid host.
    expect([400, 403]).toContain(answer.status);
    if (answer.status === 403) expect(answer.body).toContain('CODEC_METRICS_ALLOWED_HOSTS');
    expect(answer.body).not.toContain('codec_open_streams');
  });

  it('refuses metrics to a request that has no `Host` header, or two', async () => {
    expect((await to('GET', '/metrics', [])).body).not.toContain('codec_open_streams');
    const two = ['Host: rebound.example.com', `Host: localhost:${server.port}`];
    expect((await to('GET', '/metrics', two)).body).not.toContain('codec_open_streams');
  });

  it('refuses metrics to a request in absolute form for another host', async () => {
    const url = 'http://rebound.example.com/metrics';
    expect(await to('GET', url, ['Host: rebound.example.com'])).toMatchObject({ status: 403 });
  });

  it('refuses metrics to web pages of any origin, and sends no CORS headers', async () => {
    const host = `Host: localhost:${server.port}`;
    for (const origin of ['https://example.com', `http://localhost:${server.port}`, 'null']) {
      const answer = await to('GET', '/metrics', [host, `Origin: ${origin}`]);
      expect([answer.status, answer.head.match(/^access-control-/im)]).toEqual([403, null]);
    }
  });

  it.each(['/healthz', '/readyz', '/version'])('serves %s with any Host header', async (path) => {
    expect(await to('GET', path, ['Host: 10.1.2.3:9464'])).toMatchObject({ status: 200 });
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('returns 405 for %s', async (method) => {
    for (const path of ['/metrics', '/healthz', '/readyz']) {
      const head = [`Host: localhost:${server.port}`, 'Origin: https://example.com', 'Content-Length: 0'];
      const answer = await to(method, path, head);
      expect([answer.status, answer.head.match(/^access-control-/im)]).toEqual([405, null]);
      expect(answer.head).toMatch(/^allow: GET, HEAD\r?$/im);
    }
  });

  it.each(['/', '/metrics/', '/Metrics', '/metrics/x', '/%6detrics/..', '//metrics', '/api/me', '/decode'])(
    'serves nothing at %s',
    async (path) => {
      const answer = await to('GET', path, [`Host: localhost:${server.port}`]);
      expect(answer.status).toBe(404);
      expect(answer.head).toMatch(/^x-content-type-options: nosniff\r?$/im);
    },
  );

  it('returns no details of a failure to a scraper', async () => {
    broken = true;
    const answer = await scrape(`localhost:${server.port}`);
    broken = false;
    expect(answer.status).toBe(500);
    expect(`${answer.head}${answer.body}`).not.toContain('canary-of-the-metrics');
  });
});
