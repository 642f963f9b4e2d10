import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { describe, expect, it, onTestFinished } from 'vitest';
import { folderForFile, forFile } from '../support/for-file.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp.ts';
import { keepAnswers, type ServerProcess, source, startServer } from '../support/process.ts';
import { posted } from '../support/served.ts';
import { bodyOf, damaged, keys, plain, sealedApart, startKms } from '../support/stack.ts';

const SECRET = 'canary-71c2d9';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const callerSpan = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${callerSpan}-00`;

const kms = forFile(await startKms());
const directory = await folderForFile();

let audits = 0;
async function start(
  env: Record<string, string>,
  args?: readonly string[],
  file?: string,
): Promise<ServerProcess> {
  const audit = { AUDIT_FILE: join(directory, `${(audits += 1)}.jsonl`) };
  const server = await startServer({ KMS_EMULATOR_HOST: kms.emulator.address, ...audit, ...env }, args, file);
  onTestFinished(() => void server.kill());
  return server;
}

async function receiver(): Promise<OtlpReceiver> {
  const started = await startOtlpReceiver();
  onTestFinished(() => started.close());
  return started;
}

/** Starts a trace collector that passes requests to the listener, and returns the collector's URL. */
async function collector(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(() => closeServer(server));
  return `http://127.0.0.1:${await listenOnLoopback(server)}`;
}

/**
 * Arguments that make a server log to standard error that it loads OpenTelemetry's tracing SDK. The server must
 * run from its sources, because the bundle contains the SDK.
 */
const loads = [
  '--import',
  `data:text/javascript,import { registerHooks } from 'node:module';registerHooks({ load(url, c, next) { if (/sdk-trace|trace-otlp/.test(url)) console.error('LOADED ' + url); return next(url, c); } });`,
  ...keepAnswers,
];

const post = async (url: string, body: string, headers: Record<string, string> = {}): Promise<number> => {
  const init = posted(body);
  const response = await fetch(url, { ...init, headers: { ...init.headers, ...headers } });
  await response.text();
  return response.status;
};

/** Makes a server export its spans soon after they end. By default, a span may wait for five seconds. */
const promptly = { OTEL_BSP_SCHEDULE_DELAY: '100' };

/**
 * Waits until the receiver has the spans of all requests so far, because at shutdown, a server exports spans for
 * at most two seconds.
 */
async function received({ spans }: OtlpReceiver, { url }: ServerProcess): Promise<void> {
  const last = randomBytes(16).toString('hex');
  const headers = { traceparent: `00-${last}-${callerSpan}-00` };
  const isExported = async (): Promise<boolean> => {
    await (await fetch(`${url}/api/sign-in`, { headers })).text();
    return spans.some(({ trace }) => trace === last);
  };
  await expect.poll(isExported, { timeout: 60_000 }).toBe(true);
}

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan[] =>
  spans.filter((span) => span.name === name);

describe('codec-server traces', () => {
  it('lead from the caller’s span through the request and the decoding to the Cloud KMS call', async () => {
    const otlp = await receiver();
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      OTEL_RESOURCE_ATTRIBUTES: 'region=eu',
      TEMPORAL_NAMESPACE: 'payments',
      ...promptly,
    });
    const sealed = await sealedApart(kms, 2);
    const body = bodyOf(sealed);
    expect(await post(`${server.url}/decode`, body, { traceparent })).toBe(200);
    expect(await post(`${server.url}/decode`, body)).toBe(200);
    await received(otlp, server);

    const inTrace = otlp.spans.filter(({ trace }) => trace === traceId);
    const [request] = named(inTrace, 'POST /decode');
    const [decode] = named(inTrace, 'decode');
    const calls = named(inTrace, 'Cloud KMS unwrap');
    expect(request).toMatchObject({
      parent: callerSpan,
      isError: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/decode',
        'http.response.status_code': '200',
      },
    });
    expect(decode).toMatchObject({
      parent: request!.id,
      attributes: { 'temporal_kms.namespace': 'payments', 'temporal_kms.decrypted.envelope-v2': '2' },
    });
    expect(calls).toHaveLength(2);
    for (const call of calls) {
      expect(call).toMatchObject({
        parent: decode!.id,
        attributes: { 'rpc.method': 'Decrypt', 'temporal_kms.crypto_key': keys.payments },
      });
      expect(call.milliseconds).toBeGreaterThan(0);
    }
    const others = named(otlp.spans, 'POST /decode').filter(({ trace }) => trace !== traceId);
    expect(others.map(({ parent }) => parent)).toEqual(['']);
    // The second request caused no further calls, because the keys were already in memory.
    expect(named(otlp.spans, 'Cloud KMS unwrap')).toHaveLength(2);
    expect(otlp.resources[0]).toMatchObject({ 'service.name': 'temporal-kms-codec-server', region: 'eu' });
    expect(otlp.headers[0]).toMatchObject({ url: '/v1/traces', 'content-type': 'application/x-protobuf' });
  });

  it('contain no plaintext, token, path, query, host or message, even for failed requests', async () => {
    const otlp = await receiver();
    const server = await start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${otlp.url}/custom`, ...promptly });
    const { url } = server;
    const headers = {
      authorization: `Bearer ${SECRET}`,
      tracestate: `vendor=${SECRET}`,
      baggage: `user=${SECRET}`,
    };
    const payload = bodyOf([plain(SECRET)]);
    const [sealed] = await sealedApart(kms, 1);
    const [denied] = await sealedApart(kms, 1);
    const fault = { kind: 'error', status: 'PERMISSION_DENIED', message: SECRET } as const;

    await post(`${url}/encode?q=${SECRET}`, payload, { traceparent, ...headers });
    expect(await post(`${url}/decode?q=${SECRET}`, bodyOf([damaged(sealed!)]), headers)).toBe(400);
    kms.emulator.injectFault({ effect: fault, method: 'Decrypt', times: 1 });
    expect(await post(`${url}/decode`, bodyOf([denied!]), headers)).toBe(400);
    await post(`${url}/decode`, `{"payloads": "${SECRET}"}`, headers);
    await post(`${url}/${SECRET}/decode`, payload, headers);
    await post(`${url}/decode`, payload, { ...headers, 'x-namespace': SECRET });
    await fetch(`${url}/api/namespaces/payments/workflows/${SECRET}?runId=${SECRET}`, { headers });
    await fetch(`${url}/api/namespaces/${SECRET}/workflows?query=${SECRET}`, { headers, method: 'POST' });
    await received(otlp, server);

    const text = Buffer.concat(otlp.bodies).toString('latin1');
    expect(otlp.spans.length).toBeGreaterThan(8);
    for (const form of [SECRET, Buffer.from(SECRET).toString('base64').slice(0, 16)])
      expect(text).not.toContain(form);
    expect(otlp.spans.flatMap(({ more }) => more)).toEqual([]);
    expect(otlp.headers[0]).toMatchObject({ url: '/custom' });
    const damagedDecode = otlp.spans.find(
      (span) => 'temporal_kms.refused.integrity_failed' in span.attributes,
    );
    expect(damagedDecode).toMatchObject({ name: 'decode', isError: true });
    const deniedCall = otlp.spans.find(
      ({ attributes }) => attributes['error.type'] === 'permission_denied' && 'rpc.method' in attributes,
    );
    expect(deniedCall).toMatchObject({ name: 'Cloud KMS unwrap', isError: true });
    const allowed = new Set([
      'http.request.method',
      'http.route',
      'http.response.status_code',
      'error.type',
      'rpc.system',
      'rpc.service',
      'rpc.method',
      'temporal_kms.namespace',
      'temporal_kms.crypto_key',
      'temporal_kms.requests',
    ]);
    const names = new Set(otlp.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    const others = [...names].filter((name) => !allowed.has(name));
    for (const name of others)
      expect(name).toMatch(/^temporal_kms\.(encrypted|decrypted|refused)\.[a-z0-9_-]+$/);
  });

  it('contain no namespace name that a caller invented', async () => {
    const otlp = await receiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url, TEMPORAL_NAMESPACE: 'payments' };
    const server = await start(env, loads, source);
    const payload = bodyOf([plain('text')]);
    await post(`${server.url}/encode`, payload, { 'x-namespace': SECRET });
    await post(`${server.url}/encode`, payload);
    // The process exports the queued spans before it exits.
    expect(await server.stop()).toBe(0);
    const namespaces = named(otlp.spans, 'encode').map(
      ({ attributes }) => attributes['temporal_kms.namespace'],
    );
    expect(namespaces).toEqual(['other', 'payments']);
    // The last test expects that a server without traces does not log this.
    expect(server.output.err).toContain('LOADED ');
  });

  it('do not delay requests while no collector listens, and the failure is logged only once', async () => {
    const [port] = await freePorts(1);
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    });
    const payload = bodyOf([plain('text')]);
    for (let n = 0; n < 50; n += 1) expect(await post(`${server.url}/encode`, payload)).toBe(200);
    await expect.poll(() => server.output.out, { timeout: 30_000 }).toContain('trace export failing');
    await server.stop();
    const lines = server.output.out.split('\n').filter((line) => line.includes('trace export failing'));
    expect(lines).toHaveLength(1);
  });

  it('do not keep the process alive if the collector does not respond', async () => {
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: await collector(() => undefined),
      OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    });
    expect(await post(`${server.url}/encode`, bodyOf([plain('text')]))).toBe(200);
    const begin = performance.now();
    expect(await server.stop()).toBe(0);
    // Without a time limit at shutdown, the process would wait for the exporter's time limit of 60 s.
    expect(performance.now() - begin).toBeLessThan(30_000);
  });

  it('do not make the shutdown fail if a collector refuses them, and the log does not contain the collector’s response', async () => {
    const refusing = await collector((_, response) => response.writeHead(401, SECRET).end(SECRET));
    const server = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: refusing, ...promptly });
    expect(await post(`${server.url}/encode`, bodyOf([plain('text')]))).toBe(200);
    await expect.poll(() => server.output.out, { timeout: 30_000 }).toContain('trace export failing');
    expect(await post(`${server.url}/encode`, bodyOf([plain('text')]))).toBe(200);
    expect(await server.stop()).toBe(0);
    expect(server.output.out + server.output.err).not.toContain(SECRET);
  });

  it('are exported at the configured rate, whatever trace id a caller chooses', async () => {
    const otlp = await receiver();
    const server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
      ...promptly,
    });
    const payload = bodyOf([plain('text')]);
    for (let n = 0; n < 60; n += 1) await post(`${server.url}/encode`, payload, { traceparent });
    await received(otlp, server);
    const exported = named(otlp.spans, 'POST /encode').length;
    // The probability that the number is outside these bounds is below 10^-9.
    expect(exported).toBeGreaterThan(6);
    expect(exported).toBeLessThan(54);
  });
});

it("does not load OpenTelemetry's tracing SDK if there is no endpoint or the SDK is disabled", async () => {
  const payload = bodyOf([plain('text')]);
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: (await receiver()).url, OTEL_SDK_DISABLED: 'true' };
  for (const env of [{}, endpoint]) {
    const server = await start(env, loads, source);
    expect(await post(`${server.url}/encode`, payload)).toBe(200);
    await server.stop();
    expect(server.output.err).not.toContain('LOADED ');
  }
});
