import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { signaled, temporalWith } from '../support/planted-run.ts';
import { posted, serveApp } from '../support/served.ts';
import { bodyOf, type Kms, recordedAudit, sealedApart, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const AT_ONCE = 2;

const kms = forFile(await startKms());
const many = await sealedApart(kms, 40);

/** A codec with empty caches and few concurrent calls. */
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

/** Waits longer than the calls in flight take, and makes further calls return immediately. */
async function untilRestWouldHaveRun(): Promise<void> {
  kms.emulator.setLatency({ all: 0 });
  await sleep(2_000);
}

const temporal = temporalWith(many.map((payload, n) => signaled(n + 1, payload)));

it.each([
  ['/decode', () => bodyOf(many)],
  [`${RUN}/payloads:decode`, () => JSON.stringify({ refs: many.map((_, n) => `${n + 1}:0`) })],
  [`${RUN}/history:search`, () => '{"text":"nowhere"}'],
  [`${RUN}/history:export`, () => '{"form":"decoded"}'],
])('stops Cloud KMS requests for %s when the client disconnects', async (path, body) => {
  const { audit, entries: audited } = recordedAudit();
  const { url } = await serveApp(kms, { codec: reader.codec, temporal, audit });
  const leave = new AbortController();
  const asked = fetch(`${url}${path}`, posted(body(), leave.signal)).then((response) => response.text());
  const decrypted = (): number => kms.emulator.calls.count('Decrypt');
  await expect.poll(decrypted, { interval: 5 }).toBeGreaterThan(0);
  leave.abort();
  await expect(asked).rejects.toThrow();
  await expect.poll(() => audited.at(-1)).toMatchObject({ event: 'outcome', outcome: { result: 'cut_off' } });
  await untilRestWouldHaveRun();
  expect(decrypted()).toBeLessThanOrEqual(3 * AT_ONCE);
});

it('stops Cloud KMS requests when a request times out', async () => {
  const { url } = await serveApp(kms, { codec: reader.codec, limits: { requestMs: 150 } });
  const response = await fetch(`${url}/decode`, posted(bodyOf(many)));
  expect(response.status).toBe(504);
  await untilRestWouldHaveRun();
  expect(kms.emulator.calls.count('Decrypt')).toBeLessThanOrEqual(3 * AT_ONCE);
});
