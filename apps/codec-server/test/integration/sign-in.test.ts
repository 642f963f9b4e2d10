import { decodeFrame } from '@temporal-kms/codec-api';
import { expect, test } from 'vitest';
import { signedInFor } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { recordedAudit } from '../support/stack.ts';
import { frames, get, lines, postTo, runOf, runPath, startStack } from '../support/temporal.ts';

const stack = forFile(await startStack());
const run = await runOf(await stack.start('everywhere', ['canary'], { taskQueue: 'nobody' }));

test('ends a live history when the sign-in expires, with a frame that names the last event sent', async () => {
  const app = stack.replica({ access: signedInFor(2_000) });
  const start = performance.now();
  const all = await Array.fromAsync(frames(await get(app, `${runPath(run)}/history?live=true`)));
  expect(performance.now() - start).toBeLessThan(15_000);
  const sent = all.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  expect(sent.length).toBeGreaterThan(1);
  const durable = sent.filter((event) => event.durable);
  expect(all.at(-1)).toEqual({ type: 'end', reason: 'signed_out', after: durable.at(-1)!.eventId });
});

test('sends no result for payloads that are not yet decrypted when the sign-in expires, and audits the reason', async () => {
  await using other = stack.kms.another(undefined, 60_000);
  const { audit, entries } = recordedAudit();
  const app = stack.replica({ access: signedInFor(1_000), audit, codec: other.codec });
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const response = await postTo(app, run, 'payloads:decode', { refs: ['1:0'] });
  const start = performance.now();
  const all = await Array.fromAsync(lines(response, decodeFrame));
  stack.kms.emulator.clearFaults();
  // The sign-in expires long before the codec stops waiting for Cloud KMS.
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(all).toEqual([{ type: 'end', reason: 'signed_out' }]);
  expect(entries.at(-1)).toMatchObject({ event: 'outcome', outcome: { result: 'signed_out', payloads: 0 } });
});
