import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAudit } from '../src/audit/audit.ts';
import { listen, type RunningServer } from '../src/server.ts';
import { appWith, type Kms, noTemporal, startKms } from './support/stack.ts';

const RUN = '/api/namespaces/payments/workflows/w/runs/0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa';
const entries: unknown[] = [];
let answered = 0;
let kms: Kms;
let server: RunningServer;
beforeAll(async () => {
  kms = await startKms();
  const described: any = { workflowExecutionInfo: { historyLength: 1 } };
  const describeLate = async () => {
    await delay(200);
    answered += 1;
    return described;
  };
  server = await listen({
    host: '127.0.0.1',
    port: 0,
    app: (port) =>
      appWith(kms, {
        hosts: [`127.0.0.1:${port}`],
        limits: { requestMs: 50 },
        audit: createAudit({ write: async (entry) => void entries.push(entry) }),
        temporal: { ...noTemporal, describe: describeLate },
      }),
  });
});
afterAll(async () => {
  await server.close(1_000);
  await kms.close();
});

test.each([
  ['history:search', { text: 'x' }],
  ['history:export', { form: 'decoded' }],
  ['history:export', { form: 'encoded' }],
])('%s that was answered with 504 begins nothing afterwards', async (what, body) => {
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
