import { createAudit } from '@temporal-kms/audit';
import { decodeFrame } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAccess } from '../../src/access/access.ts';
import { collect } from '../support/lines.ts';
import { frames, get, lines, runOf, runPath, type Stack, startStack } from '../support/temporal.ts';

let stack: Stack;
let run: { workflowId: string; runId: string };
beforeAll(async () => {
  stack = await startStack();
  run = await runOf(await stack.start('everywhere', ['canary'], { taskQueue: 'nobody' }));
});
afterAll(() => stack.close());

const signedInFor = (ms: number) => ({
  ...openAccess,
  authenticate: () => ({ name: 'ana', expiresAt: Date.now() + ms }),
});

test('a followed history ends when the sign-in expires, after the last event sent', async () => {
  const app = stack.replica({ access: signedInFor(2_000) });
  const start = performance.now();
  const all = await collect(frames(await get(app, `${runPath(run)}/history?live=true`)));
  expect(performance.now() - start).toBeLessThan(15_000);
  const sent = all.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  expect(sent.length).toBeGreaterThan(1);
  const durable = sent.filter((event) => event.durable);
  expect(all.at(-1)).toEqual({ type: 'end', reason: 'signed_out', after: durable.at(-1)!.eventId });
});

test('payloads not decrypted by then stay unanswered, and the audit states why', async () => {
  await using other = stack.kms.another(undefined, 60_000);
  const entries: any[] = [];
  const audit = createAudit({ write: async (entry) => void entries.push(entry) });
  const app = stack.replica({ access: signedInFor(1_000), audit, codec: other.codec });
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const body = JSON.stringify({ refs: ['1:0'] });
  const response = await get(app, `${runPath(run)}/payloads:decode`, { method: 'POST', body });
  const start = performance.now();
  const all = await collect(lines(response, decodeFrame));
  stack.kms.emulator.clearFaults();
  // Long before the codec stops waiting for Cloud KMS.
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(all).toEqual([{ type: 'end', reason: 'signed_out' }]);
  expect(entries.at(-1)).toMatchObject({ event: 'outcome', outcome: { result: 'signed_out', payloads: 0 } });
});
