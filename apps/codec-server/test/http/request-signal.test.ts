import { setTimeout as sleep } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { buildPayloads } from '../../src/json/payload-json.ts';
import { posted, serveApp } from '../support/served.ts';
import { type Kms, noTemporal, type Payload, sealedApart, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const AT_ONCE = 2;

let kms: Kms;
let many: Payload[];
beforeAll(async () => {
  kms = await startKms();
  many = await sealedApart(kms, 40);
});
afterAll(() => kms.close());

/** With nothing at hand, and few calls at once. */
let reader: ReturnType<Kms['another']>;
beforeEach(() => {
  reader = kms.another({ callsInFlight: AT_ONCE });
  kms.emulator.calls.reset();
  kms.emulator.setLatency({ all: 1_000 });
});
afterEach(async () => {
  kms.emulator.reset();
  await reader[Symbol.asyncDispose]();
});

/** Waits longer than the calls in flight take, and lets further calls return at once. */
async function untilRestWouldHaveRun(): Promise<void> {
  kms.emulator.setLatency({ all: 0 });
  await sleep(2_000);
}

const events = () =>
  many.map((payload, n) => ({
    eventId: n + 1,
    eventType: 26,
    taskId: n + 1,
    workflowExecutionSignaledEventAttributes: { input: { payloads: [payload] } },
  }));
const temporal = {
  ...noTemporal,
  describe: async (): Promise<any> => ({ workflowExecutionInfo: { historyLength: many.length } }),
  history: async (): Promise<any> => ({
    history: { events: events() },
    rawHistory: [],
    nextPageToken: new Uint8Array(),
  }),
};

it.each([
  ['/decode', () => String(buildPayloads(many))],
  [`${RUN}/payloads:decode`, () => JSON.stringify({ refs: many.map((_, n) => `${n + 1}:0`) })],
  [`${RUN}/history:search`, () => '{"text":"nowhere"}'],
  [`${RUN}/history:export`, () => '{"form":"decoded"}'],
])('stops Cloud KMS requests when a client of %s disconnects', async (path, body) => {
  const audited: AuditEntry[] = [];
  const audit = createAudit({ write: async (entry) => void audited.push(entry) });
  const { url } = await serveApp(kms, { codec: reader.codec, temporal, audit });
  const leave = new AbortController();
  const asked = fetch(`${url}${path}`, posted(body(), leave.signal)).then((response) => response.text());
  const decrypted = (): number => kms.emulator.calls.count('Decrypt');
  await expect.poll(decrypted, { interval: 5 }).toBeGreaterThan(0);
  leave.abort();
  await expect(asked).rejects.toThrow();
  await expect
    .poll(() => audited.at(-1), { timeout: 5_000 })
    .toMatchObject({ event: 'outcome', outcome: { result: 'cut_off' } });
  await untilRestWouldHaveRun();
  expect(decrypted()).toBeLessThanOrEqual(3 * AT_ONCE);
});

it('stops Cloud KMS requests when a request times out', async () => {
  const { url } = await serveApp(kms, { codec: reader.codec, limits: { requestMs: 150 } });
  const response = await fetch(`${url}/decode`, posted(String(buildPayloads(many))));
  expect(response.status).toBe(504);
  await untilRestWouldHaveRun();
  expect(kms.emulator.calls.count('Decrypt')).toBeLessThanOrEqual(3 * AT_ONCE);
});
