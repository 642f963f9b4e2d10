import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { parsePayloads } from '../../src/json/payload-json.ts';
import { decrypts, derivedKeys, messagesIn } from '../support/derived-keys.ts';
import { folderForFile, forFile } from '../support/for-file.ts';
import { searchForSecrets } from '../support/leak-search.ts';
import { startServer } from '../support/process.ts';
import { NAMESPACE, runEverywhere, runFailing, runPath, startStack } from '../support/temporal.ts';

const PLAINTEXT = 'canary-plaintext-2b7c';
const TERM = 'canary-term-91e0';
// The audit must contain the justification and the path, so the tests look for these two only in the log and
// the metrics.
const JUSTIFICATION = 'justification-44a1';
const PATH = 'path-07fd';
const TOKEN = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"sub":"canary"}').toString('base64url')}.canary-signature`;
const secrets = [PLAINTEXT, TERM, TOKEN];

const AUDIT_FILE = join(await folderForFile(), 'audit.jsonl');
const stack = forFile(await startStack());
const server = await startServer({
  KMS_EMULATOR_HOST: stack.kms.emulator.address,
  TEMPORAL_ADDRESS: stack.server.address,
  TEMPORAL_NAMESPACE: NAMESPACE,
  TEMPORAL_API_KEY: TOKEN,
  TEMPORAL_TLS: 'false',
  AUDIT_FILE,
  CODEC_METRICS_PORT: '0',
  LOG_LEVEL: 'trace',
});
afterAll(server.stop);

interface Exchange {
  readonly request: string;
  readonly status: number;
  readonly body: string;
}

const own = {
  authorization: `Bearer ${TOKEN}`,
  'authorization-extras': TOKEN,
  'content-type': 'application/json',
  'x-namespace': NAMESPACE,
};

async function ask(path: string, init: RequestInit = {}): Promise<Exchange> {
  const response = await fetch(`${server.url}${path}`, { headers: own, ...init });
  const request = `${init.method ?? 'GET'} ${path.slice(0, 80)}`;
  return { request, status: response.status, body: await response.text() };
}
const post = (path: string, body: unknown, more: Record<string, string> = {}) =>
  ask(path, {
    method: 'POST',
    headers: { ...own, ...more },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const base64 = (value: string) => Buffer.from(value).toString('base64');

describe('the codec server', () => {
  const exchanges: Exchange[] = [];
  let keyBytes: readonly Uint8Array[];
  let audit: string;
  let metrics: string;

  beforeAll(async () => {
    const run = await runEverywhere(stack, PLAINTEXT);
    const failed = await runFailing(stack, PLAINTEXT);

    const ns = `/api/namespaces/${NAMESPACE}`;
    const payload = { metadata: { encoding: base64('json/plain') }, data: base64(`"${PLAINTEXT}"`) };
    const encrypted = JSON.parse((await post('/encode', { payloads: [payload] })).body);
    // Unwraps the server's branch key, so that this process knows the key's bytes.
    await stack.kms.codec.decode(parsePayloads(Buffer.from(JSON.stringify(encrypted)), 10), {
      namespace: NAMESPACE,
    });
    const damaged = { ...encrypted.payloads[0], data: `${encrypted.payloads[0].data.slice(0, -8)}AAAAAAA=` };

    const justification = JUSTIFICATION;
    for (const of of [run, failed]) {
      const history = await ask(`${runPath(of)}/history`);
      const refs = [...history.body.matchAll(/"ref":"(\d+:\d+)"/g)].map(([, ref]) => ref);
      exchanges.push(
        history,
        await ask(`${ns}/workflows/${of.workflowId}?runId=${of.runId}`),
        await post(`${runPath(of)}/payloads:decode`, { refs, justification }),
        await post(`${runPath(of)}/payloads:decode`, { refs: ['9999:0', PLAINTEXT], justification }),
        await post(`${runPath(of)}/history:search`, { text: TERM, justification }),
        await post(`${runPath(of)}/history:search`, { text: PLAINTEXT, justification }),
        await post(`${runPath(of)}/history:search`, { text: TERM, unknown: PLAINTEXT }),
        ...(await Promise.all(
          ['encoded', 'decoded', 'readable'].map((form) =>
            post(`${runPath(of)}/history:export`, { form, justification }),
          ),
        )),
      );
    }
    for (const path of [
      `${ns}/workflows?query=${encodeURIComponent('WorkflowType="everywhere"')}`,
      `${ns}/workflows:count`,
      '/api/namespaces',
      '/api/health',
      '/api/me',
      `${ns}/keys`,
      `${ns}/audit?workflowId=${PATH}`,
      `${ns}/workflows/${PATH}`,
      `/${PATH}/nothing?token=${TOKEN}`,
      `/api/${PATH}`,
      `${ns}/workflows?query=${PATH}`,
      `${ns}/workflows?pageToken=${TOKEN}`,
    ]) {
      exchanges.push(await ask(path));
    }
    exchanges.push(
      await post('/decode', encrypted, { 'x-reveal-justification': JUSTIFICATION }),
      await post('/decode', { payloads: [damaged] }),
      await post('/decode', encrypted, { 'x-namespace': 'orders' }),
      await post('/decode', encrypted, { 'x-namespace': '' }),
      await post('/decode', `{"payloads":[{"data":"${PLAINTEXT}"}]}`),
      await post('/decode', `{"payloads": ${PLAINTEXT}`),
      await post('/encode', { payloads: PLAINTEXT }),
      await post('/encode', { payloads: [payload] }, { 'content-type': 'text/plain' }),
      await post('/encode', { payloads: [payload] }, { origin: 'https://evil.example' }),
      await post(`${runPath(run)}/payloads:decode`, PLAINTEXT),
    );
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    exchanges.push(
      await post('/decode', { payloads: [{ ...damaged, metadata: encrypted.payloads[0].metadata }] }),
    );
    stack.kms.emulator.clearFaults();
    const encoded: Uint8Array[] = messagesIn(JSON.stringify(encrypted));
    const messages = [...encoded, ...exchanges.flatMap(({ body }) => messagesIn(body))];
    const dataKeys = derivedKeys(stack.kms.keyBytes, messages);
    expect(dataKeys.some((key) => decrypts(key, encoded[0]!))).toBe(true);
    keyBytes = [...stack.kms.keyBytes, ...dataKeys];
    audit = await readFile(AUDIT_FILE, 'utf8');
    metrics = await (await fetch(server.metricsUrl!)).text();
  });

  it('returns plaintext to permitted callers, so the searches below would find a secret', () => {
    const decoded = exchanges.filter(({ request, status }) => status === 200 && request.includes(':decode'));
    for (const { body } of decoded) expect(leaksIn(body, [PLAINTEXT])).not.toEqual([]);
    expect(exchanges.filter(({ status }) => status >= 400).length).toBeGreaterThan(10);
    expect(keyBytes.length).toBeGreaterThanOrEqual(2);
    expect(
      leaksIn(JSON.stringify(keyBytes.map((key) => Buffer.from(key).toString('base64'))), keyBytes),
    ).not.toEqual([]);
  });

  it('logs no plaintext, search terms, tokens, key bytes, justifications or paths', () => {
    const { out, err } = server.output;
    expect(out.split('\n').length).toBeGreaterThan(exchanges.length);
    expect(leaksIn(out + err, [...secrets, ...keyBytes, JUSTIFICATION, PATH])).toEqual([]);
  });

  it('writes no plaintext, search terms, tokens or key bytes to the audit', () => {
    expect(leaksIn(audit, [...secrets, ...keyBytes])).toEqual([]);
    expect(audit).toContain(`"justification":"${JUSTIFICATION}"`);
  });

  it('returns no secrets, justifications or paths in metrics', () => {
    expect(leaksIn(metrics, [...secrets, ...keyBytes, JUSTIFICATION, PATH])).toEqual([]);
  });

  it('returns no secrets or justifications in error responses', () => {
    for (const { request, status, body } of exchanges.filter((exchange) => exchange.status >= 400)) {
      expect([request, status, leaksIn(body, [...secrets, ...keyBytes, JUSTIFICATION])]).toEqual([
        request,
        status,
        [],
      ]);
    }
  });

  it('returns no plaintext in a response that requires only the permission `metadata`', () => {
    const read = exchanges.filter(({ request }) => request.startsWith('GET '));
    for (const { request, body } of read)
      expect([request, leaksIn(body, [PLAINTEXT])]).toEqual([request, []]);
  });

  it('returns no key bytes or tokens in any response', () => {
    for (const { request, body } of exchanges) {
      expect([request, leaksIn(body, [TOKEN, ...keyBytes])]).toEqual([request, []]);
    }
  });
});

describe('the search for secrets', () => {
  it.each([
    ['verbatim', `x${PLAINTEXT}x`],
    ['in hex', Buffer.from(`a${PLAINTEXT}`).toString('hex')],
    ['in base64', base64(`${PLAINTEXT}zz`)],
    ['in base64 after one byte', base64(`a${PLAINTEXT}zz`)],
    ['in base64 after two bytes', base64(`aa${PLAINTEXT}zz`)],
    ['in base64url', Buffer.from(`a${PLAINTEXT}`).toString('base64url')],
  ])('finds a secret %s', (_, text) => {
    expect(leaksIn(text, [PLAINTEXT])).not.toEqual([]);
    expect(searchForSecrets([])(text, 'withoutPlaintext')).not.toEqual([]);
  });

  const key = Buffer.from('00ff10ef20df30cf40bf50af609f708f8090a0b0c0d0e0f0011223344556677f', 'hex');
  const search = searchForSecrets([randomBytes(32), key, randomBytes(32)]);

  it.each([
    ['verbatim', key.toString('latin1')],
    ['in hex', key.toString('hex')],
    ['in uppercase hex', key.toString('hex').toUpperCase()],
    ['in base64', key.toString('base64')],
    ['in base64 after one byte', Buffer.concat([Buffer.alloc(1), key]).toString('base64')],
    ['in base64url after two bytes', Buffer.concat([Buffer.alloc(2), key]).toString('base64url')],
    ['as util.inspect prints them', inspect(key)],
    ['as JSON of a Buffer', JSON.stringify(key)],
    ['as JSON of a Uint8Array', JSON.stringify(new Uint8Array(key))],
  ])('finds key bytes %s, at any position', (_, form) => {
    for (let before = 0; before < 60; before += 1) {
      for (const kept of ['withoutPlaintext', 'withPlaintext'] as const) {
        expect(search(`${'.'.repeat(before)}${form}.`, kept)).not.toEqual([]);
      }
    }
  });

  it.each([
    ['completely', `Bearer ${TOKEN}`],
    ['truncated', TOKEN.slice(0, 12)],
    ['with a different payload', `eyJ${TOKEN.replaceAll('eyJ', 'xyJ')}`],
    ['in base64', base64(`aa${TOKEN}`)],
    ['in hex', Buffer.from(TOKEN).toString('hex')],
  ])('finds a token %s', (_, text) => {
    expect(search(text, 'withPlaintext')).not.toEqual([]);
  });

  it('accepts plaintext in decrypted output, and finds nothing in output without secrets', () => {
    expect(search(PLAINTEXT, 'withPlaintext')).toEqual([]);
    expect(
      search(
        '{"severity":"INFO","message":"request","route":"*/decode","status":200,"ms":1.2}',
        'withoutPlaintext',
      ),
    ).toEqual([]);
  });
});
