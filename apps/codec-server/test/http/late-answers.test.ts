import { setTimeout as delay } from 'node:timers/promises';
import { createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppDeps } from '../../src/app.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { forFile } from '../support/for-file.ts';
import { temporalWith } from '../support/planted-run.ts';
import { posted } from '../support/served.ts';
import { keptLog } from '../support/kept-log.ts';
import { bodyOf, recordedAudit, sealedApart, serve, startKms } from '../support/stack.ts';
import { RUN } from '../support/routes.ts';

const { audit, entries } = recordedAudit();
let answered = 0;
/** A server whose requests time out after 50 ms. */
const impatient = (deps: Partial<AppDeps>): Promise<RunningServer> =>
  serve(kms, { limits: { requestMs: 50 }, ...deps });

const kms = forFile(await startKms());
const encrypted = bodyOf(await sealedApart(kms, 1));
const run = temporalWith([{}]);
const describeLate: typeof run.describe = async (...asked) => {
  await delay(200);
  answered += 1;
  return run.describe(...asked);
};
const server = forFile(await impatient({ audit, temporal: { ...run, describe: describeLate } }));

it.each([
  ['history:search', { text: 'x' }],
  ['history:export', { form: 'decoded' }],
  ['history:export', { form: 'encoded' }],
])('starts no work for %s after the request has timed out with 504', async (what, body) => {
  const before = answered;
  const response = await fetch(`http://127.0.0.1:${server.port}${RUN}/${what}`, posted(JSON.stringify(body)));
  expect(response.status).toBe(504);
  await response.text();
  await expect.poll(() => answered).toBe(before + 1);
  await delay(50);
  expect(entries).toEqual([]);
});

describe('a server whose audit writes an intent slowly', () => {
  const slow: AuditEntry[] = [];
  const { log, lines } = keptLog();
  let late: RunningServer;
  beforeAll(async () => {
    late = await impatient({
      log,
      audit: createAudit({
        write: async (entry) => {
          await delay(200);
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
      const response = await fetch(`http://127.0.0.1:${late.port}${path}`, posted(body()));
      expect(response.status).toBe(504);
      await response.text();
      await expect.poll(() => slow.length).toBe(2);
      expect(slow[1]).toMatchObject({ event: 'outcome', outcome: { result: 'cut_off', payloads: 0 } });
      expect(kms.emulator.calls.count('Decrypt')).toBe(0);
      expect(lines.filter((line) => line.includes('unexpectedly'))).toEqual([]);
    },
  );
});
