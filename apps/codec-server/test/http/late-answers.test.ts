import { setTimeout as delay } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultLimits } from '../../src/http/limits.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { type Answer, ask } from '../access/support/server.ts';
import { forFile } from '../support/for-file.ts';
import { temporalWith } from '../support/planted-run.ts';
import { posted } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import { bodyOf, recordedAudit, sealedApart, serve, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const { audit, entries } = recordedAudit();

/** One of the server's calls, which is held until the test lets the call continue. */
let call: Record<'begun' | 'mayContinue', PromiseWithResolvers<void>>;
async function held(): Promise<void> {
  call.begun.resolve();
  await call.mayContinue.promise;
}
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  call = { begun: Promise.withResolvers(), mayContinue: Promise.withResolvers() };
});
afterEach(() => vi.useRealTimers());

/** Sends a request, and lets it time out during the held call. */
async function timedOut({ port }: RunningServer, path: string, body: string): Promise<Answer> {
  const headers = Object.entries(posted('').headers);
  const answer = ask(port, { method: 'POST', path, headers, body });
  await call.begun.promise;
  vi.advanceTimersByTime(defaultLimits.requestMs);
  return await answer;
}

const kms = forFile(await startKms());
const encrypted = bodyOf(await sealedApart(kms, 1));
const run = temporalWith([{}]);
const describeLate: typeof run.describe = async (...asked) => {
  await held();
  return run.describe(...asked);
};
const server = forFile(await serve(kms, { audit, temporal: { ...run, describe: describeLate } }));

it.each([
  ['history:search', { text: 'x' }],
  ['history:export', { form: 'decoded' }],
  ['history:export', { form: 'encoded' }],
])('starts no work for a request of %s that has timed out with 504', async (what, body) => {
  expect(await timedOut(server, `${RUN}/${what}`, JSON.stringify(body))).toMatchObject({ status: 504 });
  call.mayContinue.resolve();
  await delay(50);
  expect(entries).toEqual([]);
});

describe('a server whose audit writes an intent slowly', () => {
  const slow: AuditEntry[] = [];
  const { log, lines } = keptLog();
  let late: RunningServer;
  beforeAll(async () => {
    late = await serve(kms, {
      log,
      audit: createAudit({
        write: async (entry) => {
          await held();
          slow.push(entry);
        },
      }),
      temporal: temporalWith([{}]),
    });
  });
  afterAll(() => late.close(1_000));

  it.each([
    [`${RUN}/history:search`, () => JSON.stringify({ text: 'x' })],
    [`${RUN}/history:export`, () => JSON.stringify({ form: 'decoded' })],
    ['/decode', () => encrypted],
  ])(
    'decrypts nothing for %s after the request has timed out with 504, and records the outcome `cut_off`',
    async (path, body) => {
      slow.length = 0;
      kms.emulator.calls.reset();
      expect(await timedOut(late, path, body())).toMatchObject({ status: 504 });
      call.mayContinue.resolve();
      await expect.poll(() => slow.length).toBe(2);
      expect(slow[1]).toMatchObject({ event: 'outcome', outcome: { result: 'cut_off', payloads: 0 } });
      expect(kms.emulator.calls.count('Decrypt')).toBe(0);
      expect(lines.filter((line) => line.includes('unexpectedly'))).toEqual([]);
    },
  );
});
