import { setTimeout as delay } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPayloads } from '../../src/json/payload-json.ts';
import type { AppDeps } from '../../src/app.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { keptLog, type Kms, noTemporal, plain, serve, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const entries: unknown[] = [];
let answered = 0;
let kms: Kms;
let server: RunningServer;
let encrypted: string;
/** A server that answers 504 after 50 ms. */
const impatient = (deps: Partial<AppDeps>): Promise<RunningServer> =>
  serve(kms, { limits: { requestMs: 50 }, ...deps });

beforeAll(async () => {
  kms = await startKms();
  await using writer = kms.another();
  encrypted = String(buildPayloads(await writer.codec.encode([plain('secret')], { namespace: 'payments' })));
  const described: any = { workflowExecutionInfo: { historyLength: 1 } };
  const describeLate = async () => {
    await delay(200);
    answered += 1;
    return described;
  };
  server = await impatient({
    audit: createAudit({ write: async (entry) => void entries.push(entry) }),
    temporal: { ...noTemporal, describe: describeLate },
  });
});
afterAll(async () => {
  await server.close(1_000);
  await kms.close();
});

it.each([
  ['history:search', { text: 'x' }],
  ['history:export', { form: 'decoded' }],
  ['history:export', { form: 'encoded' }],
])('starts nothing for %s after it was answered 504', async (what, body) => {
  const before = answered;
  const response = await fetch(`http://127.0.0.1:${server.port}${RUN}/${what}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(504);
  await response.text();
  await expect.poll(() => answered).toBe(before + 1);
  await delay(50);
  expect(entries).toEqual([]);
});

describe('while its intent is being written', () => {
  const slow: AuditEntry[] = [];
  const { log, lines } = keptLog();
  let late: RunningServer;
  beforeAll(async () => {
    const described: any = { workflowExecutionInfo: { historyLength: 1 } };
    late = await impatient({
      log,
      audit: createAudit({
        write: async (entry) => {
          await delay(200);
          slow.push(entry);
        },
      }),
      temporal: { ...noTemporal, describe: async () => described },
    });
  });
  afterAll(() => late.close(1_000));

  it.each([
    [`${RUN}/history:search`, () => JSON.stringify({ text: 'x' })],
    [`${RUN}/history:export`, () => JSON.stringify({ form: 'decoded' })],
    ['/decode', () => encrypted],
  ])('decrypts nothing for %s after it was answered 504, and records that outcome', async (path, body) => {
    slow.length = 0;
    kms.emulator.calls.reset();
    const response = await fetch(`http://127.0.0.1:${late.port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-namespace': 'payments' },
      body: body(),
    });
    expect(response.status).toBe(504);
    await response.text();
    await expect.poll(() => slow.length).toBe(2);
    expect(slow[1]).toMatchObject({ event: 'outcome', outcome: { result: 'cut_off', payloads: 0 } });
    expect(kms.emulator.calls.count('Decrypt')).toBe(0);
    expect(lines.filter((line) => line.includes('unexpectedly'))).toEqual([]);
  });
});
