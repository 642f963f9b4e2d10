import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { get as getOverTls } from 'node:https';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { parseEntryLine } from '@temporal-kms/audit';
import { afterEach, describe, expect, it } from 'vitest';
import { buildPayloads } from '../../src/json/payload-json.ts';
import { makeCertificate } from '@temporal-kms/testing/certificates';
import { folderForFile, forFile } from '../support/for-file.ts';
import { type ServerProcess, spawnServer, startServer } from '../support/process.ts';
import { bodyOf, plain, sealedApart, startKms } from '../support/stack.ts';

const SECRET = 'canary-90d3f7';
const kms = forFile(await startKms());
const directory = await folderForFile();

const running: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill()));
});

async function start(env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServer({ KMS_EMULATOR_HOST: kms.emulator.address, ...env });
  running.push(server);
  return server;
}

const payloads = (bytes = 0) =>
  JSON.stringify({
    payloads: [
      {
        metadata: { encoding: Buffer.from('json/plain').toString('base64') },
        data: Buffer.from(`"${SECRET}${'x'.repeat(bytes)}"`).toString('base64'),
      },
    ],
  });
const PLAINTEXT = Buffer.from(`"${SECRET}"`).toString('base64');

const headers = { 'content-type': 'application/json', 'x-namespace': 'payments' };
const post = (url: string, body: string) => fetch(url, { method: 'POST', headers, body });
const encrypted = async (): Promise<string> =>
  bodyOf(await kms.codec.encode([plain(SECRET)], { namespace: 'payments' }));

const entries = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.includes('"audit":'))
    .map((line) => parseEntryLine(line));

describe('an audit that cannot be written', () => {
  it('blocks plaintext, is counted in the metrics, and does not affect unaudited routes', async () => {
    const ciphertext = await encrypted();
    const folder = await mkdtemp(join(directory, 'removed-'));
    const { url, metricsUrl, output } = await start({
      AUDIT_FILE: join(folder, 'audit.jsonl'),
      CODEC_METRICS_PORT: '0',
    });
    await rm(folder, { recursive: true });
    const response = await post(`${url}/decode`, ciphertext);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.text()).not.toContain(PLAINTEXT);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await (await fetch(metricsUrl!)).text()).toMatch(/^codec_audit_write_failures_total 1$/m);
    await expect.poll(() => output.out).toContain('"reason":"ENOENT"');
  });

  it('makes requests fail with 503 until a process reads standard output again', async () => {
    const ciphertext = await encrypted();
    const { url, child, output, stop } = await start();
    child.stdout?.pause();
    let response = await post(`${url}/decode`, ciphertext);
    // The pipe buffers 64 KiB, and Node buffers a little more.
    for (let n = 0; n < 3_000 && response.status === 200; n += 1) {
      await response.text();
      response = await post(`${url}/decode`, ciphertext);
    }
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain(PLAINTEXT);
    // If each request waited for the time limit of one second, 60 requests would take a minute.
    const before = performance.now();
    for (let n = 0; n < 60; n += 1) expect((await post(`${url}/decode`, ciphertext)).status).toBe(503);
    expect(performance.now() - before).toBeLessThan(50_000);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);

    child.stdout?.resume();
    await expect
      .poll(async () => (await post(`${url}/decode`, ciphertext)).status, { timeout: 30_000 })
      .toBe(200);
    expect(await stop()).toBe(0);
    // All lines of the log and the audit are complete.
    for (const line of output.out.trimEnd().split('\n')) expect(() => JSON.parse(line), line).not.toThrow();
    expect(entries(output.out)).not.toContain(undefined);
  });

  it.each([
    ['AUDIT_FILE', 'in a missing directory', { AUDIT_FILE: '/nowhere/audit.jsonl' }],
    ['AUDIT_DIGEST_KEY_FILE', 'missing', { AUDIT_DIGEST_KEY_FILE: '/nowhere/digest.key' }],
    [
      'CODEC_TLS',
      'missing',
      { CODEC_TLS_CERT_FILE: '/nowhere/tls.crt', CODEC_TLS_KEY_FILE: '/nowhere/tls.key' },
    ],
  ])('makes the server exit with status 78 if the file in %s is %s', async (name, _, env) => {
    const { exited, output } = spawnServer({ KMS_EMULATOR_HOST: kms.emulator.address, ...env });
    expect(await exited).toBe(78);
    expect(output.err).toMatch(new RegExp(`${name}.*nowhere`));
  });
});

/** Sends a request without `fetch`, which cannot send a Host header that differs from the URL. */
const requestAs = (url: string, path: string, more: Record<string, string>, body?: string) =>
  new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(`${url}${path}`, { method, headers: { ...headers, ...more } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', reject).end(body);
  });

describe('the environment', () => {
  it('sets the path prefix, namespace paths, hosts, origins, limits and the audit file', async () => {
    const { url } = await start({
      CODEC_PATH_PREFIX: '/codec',
      CODEC_NAMESPACE_PATHS: 'true',
      CODEC_ALLOWED_HOSTS: 'codec.example',
      CODEC_CORS_ORIGINS: 'https://ui.example',
      CODEC_MAX_PAYLOADS: '2',
      CODEC_MAX_BODY: '10000',
      CODEC_MAX_REQUESTS: '3',
      CODEC_MAX_STREAMS: '1',
      AUDIT_FILE: join(directory, 'wiring.jsonl'),
    });
    const host = 'codec.example';
    const encoded = await requestAs(
      url,
      '/codec/payments/encode',
      { host, origin: 'https://ui.example' },
      payloads(),
    );
    expect(encoded).toMatchObject({
      status: 200,
      headers: { 'access-control-allow-origin': 'https://ui.example' },
    });
    expect((await requestAs(url, '/encode', { host }, payloads())).status).toBe(404);
    expect((await requestAs(url, '/codec/encode', {}, payloads())).status).toBe(403);
    expect(
      (await requestAs(url, '/codec/encode', { host, origin: 'https://other.example' }, payloads())).status,
    ).toBe(403);
    expect(
      (await requestAs(url, '/codec/encode', { host }, JSON.stringify({ payloads: [{}, {}, {}] }))).text,
    ).toMatch(/3 payloads/);
    expect((await requestAs(url, '/codec/encode', { host }, payloads(20_000))).text).toMatch(/10000 bytes/);
    const audit = await requestAs(url, '/codec/api/namespaces/payments/audit', { host });
    expect([audit.status, JSON.parse(audit.text).entries.at(-1)]).toMatchObject([
      200,
      { operation: 'encode' },
    ]);
  });

  it('cannot change the limit of 16 concurrent Cloud KMS calls per namespace', async () => {
    const apart = await sealedApart(kms, 40);
    const { url } = await start({ AUDIT_FILE: join(directory, 'calls.jsonl') });
    kms.emulator.setLatency({ all: 200 });
    const begun = performance.now();
    expect((await post(`${url}/decode`, String(buildPayloads(apart)))).status).toBe(200);
    kms.emulator.reset();
    // 40 calls with 16 at a time take three rounds of 200 ms.
    expect(performance.now() - begun).toBeGreaterThan(590);
  });

  it('sets the limits CODEC_MAX_REQUESTS and CODEC_REQUEST_SECONDS, which the server enforces', async () => {
    const ciphertext = await encrypted();
    const { url } = await start({
      AUDIT_FILE: join(directory, 'limits.jsonl'),
      CODEC_MAX_REQUESTS: '1',
      CODEC_REQUEST_SECONDS: '2',
    });
    kms.emulator.injectFault({ method: 'Decrypt', effect: { kind: 'hang' } });
    const statuses = await Promise.all(
      [1, 2].map(async () => (await post(`${url}/decode`, ciphertext)).status),
    );
    kms.emulator.reset();
    expect(new Set(statuses)).toEqual(new Set([503, 504]));
  });
});

it('reopens a rotated audit file on SIGHUP without losing a line', async () => {
  const path = join(directory, 'rotated.jsonl');
  const { url, child, stop } = await start({ AUDIT_FILE: path });
  for (let n = 0; n < 10; n += 1) {
    if (n === 5) {
      await rename(path, `${path}.1`);
      child.kill('SIGHUP');
    }
    expect((await post(`${url}/encode`, payloads())).status).toBe(200);
  }
  const [old, fresh] = await Promise.all([readFile(`${path}.1`, 'utf8'), readFile(path, 'utf8')]);
  // A line that was written during the rename may be in both files.
  const lines = [...entries(old), ...entries(fresh)].map((entry) => `${entry?.id} ${entry?.event}`);
  expect([new Set(lines).size, lines.length <= 21, entries(fresh).length >= 8]).toEqual([20, true, true]);
  expect(entries(fresh)[0]).toMatchObject({
    from: '127.0.0.1',
    operation: 'encode',
    who: { name: 'anonymous' },
  });
  expect(await stop()).toBe(0);
});

it('shuts down under load without breaking a response', async () => {
  const { url, stop } = await start({ AUDIT_FILE: join(directory, 'load.jsonl') });
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const responses = { complete: 0, rejected: 0, broken: [] as string[] };
  const send = () =>
    new Promise<boolean>((resolve) => {
      const sent = request(`${url}/encode`, { method: 'POST', headers, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('error', (error) => {
          responses.broken.push(error.message);
          resolve(false);
        });
        response.on('end', () => {
          if (response.statusCode === 200 && 'payloads' in JSON.parse(text)) responses.complete += 1;
          else if (response.statusCode === 503) responses.rejected += 1;
          else responses.broken.push(`${response.statusCode} ${text}`);
          resolve(response.statusCode === 200);
        });
      });
      // The connection ended before the response began, so the client may repeat the request.
      sent.on('error', () => resolve(false));
      sent.end(payloads(50_000));
    });
  const clients = Array.from({ length: 20 }, async () => {
    while (await send());
  });
  await expect.poll(() => responses.complete, { timeout: 60_000 }).toBeGreaterThan(100);
  const before = performance.now();
  const status = await stop();
  await Promise.all(clients);
  agent.destroy();
  expect(status).toBe(0);
  expect(responses.broken).toEqual([]);
  // If the server waited for idle connections, the shutdown would take the whole grace period of ten seconds.
  expect(performance.now() - before).toBeLessThan(10_000);
  const lines = entries(await readFile(join(directory, 'load.jsonl'), 'utf8'));
  expect(lines.filter((entry) => entry?.event === 'intent').length).toBe(
    lines.filter((entry) => entry?.outcome?.result === 'complete').length,
  );
});

it('serves TLS with an HSTS header, and reloads a renewed certificate on SIGHUP', async () => {
  const files = makeCertificate(directory, 'served');
  const { url, child, output } = await start({
    CODEC_TLS_CERT_FILE: files.certFile,
    CODEC_TLS_KEY_FILE: files.keyFile,
  });
  expect(url).toMatch(/^https:/);
  const probe = () =>
    new Promise<{ serial: string; hsts: unknown }>((resolve, reject) => {
      getOverTls(`${url}/healthz`, { rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        const { socket } = response;
        const serial = socket instanceof TLSSocket ? socket.getPeerCertificate().serialNumber : '';
        resolve({ serial, hsts: response.headers['strict-transport-security'] });
      }).on('error', reject);
    });
  const first = await probe();
  expect(first.hsts).toBe('max-age=31536000');
  makeCertificate(directory, 'served');
  child.kill('SIGHUP');
  await expect.poll(() => output.out, { timeout: 30_000 }).toContain('TLS certificate reloaded');
  expect((await probe()).serial).not.toBe(first.serial);
});
