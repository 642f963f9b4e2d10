import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { searchForSecrets } from '../support/leak-search.ts';
import { type ServerProcess, startServer } from '../support/process.ts';
import { NAMESPACE, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';
import { change, finish } from '../support/workflows.ts';

const PLAINTEXT = 'canary-plaintext-2b7c';
const TERM = 'canary-term-91e0';
// These may be read again, by those who may read the audit, so they are searched for here alone.
const JUSTIFICATION = 'justification-44a1';
const PATH = 'path-07fd';
const TOKEN = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"sub":"canary"}').toString('base64url')}.canary-signature`;
const secrets = [PLAINTEXT, TERM, TOKEN];

let stack: Stack;
let server: ServerProcess;
let directory: string;
beforeAll(async () => {
  stack = await startStack();
  directory = await mkdtemp(join(tmpdir(), 'codec-leaks-'));
  server = await startServer({
    KMS_EMULATOR_HOST: stack.kms.emulator.address,
    TEMPORAL_ADDRESS: stack.server.address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    TEMPORAL_API_KEY: TOKEN,
    TEMPORAL_TLS: 'false',
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    CODEC_METRICS_PORT: '0',
    LOG_LEVEL: 'trace',
  });
});
afterAll(async () => {
  await server.stop();
  await stack.close();
  await rm(directory, { recursive: true });
});

interface Answer {
  readonly what: string;
  readonly status: number;
  readonly body: string;
}

async function ask(
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    ...init,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'authorization-extras': TOKEN,
      'content-type': 'application/json',
      'x-namespace': NAMESPACE,
      ...init.headers,
    },
  });
  return {
    what: `${init.method ?? 'GET'} ${path.slice(0, 80)}`,
    status: response.status,
    body: await response.text(),
  };
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });

const base64 = (value: string) => Buffer.from(value).toString('base64');

describe('plaintext, search terms, tokens and key bytes', () => {
  const answers: Answer[] = [];
  let audit: string;
  let metrics: string;

  beforeAll(async () => {
    const handle = await stack.start('everywhere', [PLAINTEXT], { memo: { customer: PLAINTEXT } });
    const run = await runOf(handle);
    await handle.executeUpdate(change, { args: [PLAINTEXT] });
    await handle.signal(finish, PLAINTEXT);
    await handle.result();
    const failing = await stack.start('fails', [PLAINTEXT]);
    await failing.result().catch(() => undefined);
    const failed = await runOf(failing);

    const ns = `/api/namespaces/${NAMESPACE}`;
    const payload = { metadata: { encoding: base64('json/plain') }, data: base64(`"${PLAINTEXT}"`) };
    const sealed = JSON.parse((await post('/encode', { payloads: [payload] })).body);
    // The server's own data key, for this process to know its bytes.
    await stack.kms.codec.decode(
      sealed.payloads.map((one: typeof payload) => ({
        metadata: Object.fromEntries(
          Object.entries(one.metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
        ),
        data: Buffer.from(one.data, 'base64'),
      })),
      { namespace: NAMESPACE },
    );
    const damaged = { ...sealed.payloads[0], data: `${sealed.payloads[0].data.slice(0, -8)}AAAAAAA=` };

    for (const of of [run, failed]) {
      const history = await ask(`${runPath(of)}/history`);
      const refs = [...history.body.matchAll(/"ref":"(\d+:\d+)"/g)].map(([, ref]) => ref);
      answers.push(
        history,
        await ask(`${ns}/workflows/${of.workflowId}?runId=${of.runId}`),
        await post(`${runPath(of)}/payloads:decode`, { refs, justification: JUSTIFICATION }),
        await post(`${runPath(of)}/payloads:decode`, {
          refs: ['9999:0', PLAINTEXT],
          justification: JUSTIFICATION,
        }),
        await post(`${runPath(of)}/history:search`, { text: TERM, justification: JUSTIFICATION }),
        await post(`${runPath(of)}/history:search`, { text: PLAINTEXT, justification: JUSTIFICATION }),
        await post(`${runPath(of)}/history:search`, { text: TERM, unknown: PLAINTEXT }),
        ...(await Promise.all(
          ['encoded', 'decoded', 'readable'].map((form) =>
            post(`${runPath(of)}/history:export`, { form, justification: JUSTIFICATION }),
          ),
        )),
      );
    }
    answers.push(
      await ask(`${ns}/workflows?query=${encodeURIComponent('WorkflowType="everywhere"')}`),
      await ask(`${ns}/workflows:count`),
      await ask('/api/namespaces'),
      await ask('/api/health'),
      await ask('/api/me'),
      await ask(`${ns}/keys`),
      await ask(`${ns}/audit?workflowId=${PATH}`),
      await ask(`${ns}/workflows/${PATH}`),
      await ask(`/${PATH}/nothing?token=${TOKEN}`),
      await ask(`/api/${PATH}`),
      await ask(`${ns}/workflows?query=${PATH}`),
      await ask(`${ns}/workflows?pageToken=${TOKEN}`),
      await post('/decode', sealed, { 'x-reveal-justification': JUSTIFICATION }),
      await post('/decode', { payloads: [damaged] }),
      await post('/decode', sealed, { 'x-namespace': 'orders' }),
      await post('/decode', sealed, { 'x-namespace': '' }),
      await post('/decode', `{"payloads":[{"data":"${PLAINTEXT}"}]}`),
      await post('/decode', `{"payloads": ${PLAINTEXT}`),
      await post('/encode', { payloads: PLAINTEXT }),
      await post('/encode', { payloads: [payload] }, { 'content-type': 'text/plain' }),
      await post('/encode', { payloads: [payload] }, { origin: 'https://evil.example' }),
      await post(`${runPath(run)}/payloads:decode`, PLAINTEXT),
    );
    stack.kms.emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
    answers.push(
      await post('/decode', { payloads: [{ ...damaged, metadata: sealed.payloads[0].metadata }] }),
    );
    stack.kms.emulator.clearFaults();
    audit = await readFile(join(directory, 'audit.jsonl'), 'utf8');
    metrics = await (await fetch(server.metricsUrl!)).text();
  });

  test('reach those who may see them, so the search below could have found them', () => {
    const opened = answers.filter(({ what, status }) => status === 200 && what.includes(':decode'));
    for (const { body } of opened) expect(leaksIn(body, [PLAINTEXT])).not.toEqual([]);
    expect(answers.filter(({ status }) => status >= 400).length).toBeGreaterThan(10);
    expect(stack.kms.dataKeys.length).toBeGreaterThanOrEqual(2);
    expect(
      leaksIn(
        JSON.stringify(stack.kms.dataKeys.map((key) => Buffer.from(key).toString('base64'))),
        stack.kms.dataKeys,
      ),
    ).not.toEqual([]);
  });

  test('are in no log line, and neither are reasons and paths', () => {
    const { out, err } = server.output;
    expect(out.split('\n').length).toBeGreaterThan(answers.length);
    expect(leaksIn(out + err, [...secrets, ...stack.kms.dataKeys, JUSTIFICATION, PATH])).toEqual([]);
  });

  test('are in no audit line; reasons are, where they belong', () => {
    expect(leaksIn(audit, [...secrets, ...stack.kms.dataKeys])).toEqual([]);
    expect(audit).toContain(`"justification":"${JUSTIFICATION}"`);
  });

  test('are in no metric', () => {
    expect(leaksIn(metrics, [...secrets, ...stack.kms.dataKeys, JUSTIFICATION, PATH])).toEqual([]);
  });

  test('are in no error', () => {
    for (const { what, status, body } of answers.filter((answer) => answer.status >= 400)) {
      expect([what, status, leaksIn(body, [...secrets, ...stack.kms.dataKeys, JUSTIFICATION])]).toEqual([
        what,
        status,
        [],
      ]);
    }
  });

  test('plaintext is in no answer that takes only the right to read workflows', () => {
    const read = answers.filter(({ what }) => what.startsWith('GET '));
    for (const { what, body } of read) expect([what, leaksIn(body, [PLAINTEXT])]).toEqual([what, []]);
  });

  test('key bytes and tokens are in no answer at all', () => {
    for (const { what, body } of answers) {
      expect([what, leaksIn(body, [TOKEN, ...stack.kms.dataKeys])]).toEqual([what, []]);
    }
  });
});

describe('the search', () => {
  test.each([
    ['as it is', `x${PLAINTEXT}x`],
    ['in hex', Buffer.from(`a${PLAINTEXT}`).toString('hex')],
    ['in base64', base64(`${PLAINTEXT}zz`)],
    ['in base64 behind a byte', base64(`a${PLAINTEXT}zz`)],
    ['in base64 behind two', base64(`aa${PLAINTEXT}zz`)],
    ['in base64url', Buffer.from(`a${PLAINTEXT}`).toString('base64url')],
  ])('finds a secret %s', (_, text) => {
    expect(leaksIn(text, [PLAINTEXT])).not.toEqual([]);
    expect(searchForSecrets([])(text, 'sealed')).not.toEqual([]);
  });

  const key = Buffer.from('00ff10ef20df30cf40bf50af609f708f8090a0b0c0d0e0f0011223344556677f', 'hex');
  const search = searchForSecrets([randomBytes(32), key, randomBytes(32)]);

  test.each([
    ['as they are', key.toString('latin1')],
    ['in hex', key.toString('hex')],
    ['in capital hex', key.toString('hex').toUpperCase()],
    ['in base64', key.toString('base64')],
    ['in base64 behind a byte', Buffer.concat([Buffer.alloc(1), key]).toString('base64')],
    ['in base64url behind two', Buffer.concat([Buffer.alloc(2), key]).toString('base64url')],
    ['as Node prints them', inspect(key)],
    ['as JSON has a buffer', JSON.stringify(key)],
    ['as JSON has other bytes', JSON.stringify(new Uint8Array(key))],
  ])('finds key bytes %s, wherever they stand', (_, form) => {
    for (let before = 0; before < 60; before += 1) {
      for (const kept of ['sealed', 'opened'] as const) {
        expect(search(`${'.'.repeat(before)}${form}.`, kept)).not.toEqual([]);
      }
    }
  });

  test.each([
    ['whole', `Bearer ${TOKEN}`],
    ['cut', TOKEN.slice(0, 12)],
    ['of another kind', `eyJ${TOKEN.replaceAll('eyJ', 'xyJ')}`],
    ['in base64', base64(`aa${TOKEN}`)],
    ['in hex', Buffer.from(TOKEN).toString('hex')],
  ])('finds a token, %s', (_, text) => {
    expect(search(text, 'opened')).not.toEqual([]);
  });

  test('leaves plaintext to those who may see it, and finds nothing where there is nothing', () => {
    expect(search(PLAINTEXT, 'opened')).toEqual([]);
    expect(search('{"level":30,"route":"*/decode","status":200,"ms":1.2,"msg":"request"}', 'sealed')).toEqual(
      [],
    );
  });
});
