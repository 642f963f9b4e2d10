import { decodeFrame, type HistoryFrame } from '@temporal-kms/codec-api';
import { afterEach, expect, test, vi } from 'vitest';
import { signedInFor } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { recordedAudit } from '../support/stack.ts';
import { frames, get, lines, postTo, runOf, runPath, startStack } from '../support/temporal.ts';

const stack = forFile(await startStack());
const run = await runOf(await stack.start('everywhere', ['canary'], { taskQueue: 'nobody' }));

afterEach(() => void vi.restoreAllMocks());

const MINUTE = 60_000;
/**
 * A sign-in that expires only when the test calls `expire`, because no fixed time is certain to be long
 * enough.
 */
const access = signedInFor(MINUTE);

/** Replaces the timers of the sign-in. Returns a function that makes the sign-in expire. */
function expiry(): () => void {
  const expired = new AbortController();
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) =>
    ms > MINUTE / 2 && ms <= MINUTE ? expired.signal : timeout(ms),
  );
  return () => expired.abort();
}

test('ends a live history when the sign-in expires, with a frame that names the last event sent', async () => {
  const expire = expiry();
  const app = stack.replica({ access });
  const all: HistoryFrame[] = [];
  const sent = () => all.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  for await (const frame of frames(await get(app, `${runPath(run)}/history?live=true`))) {
    all.push(frame);
    if (sent().length > 1) expire();
  }
  const durable = sent().filter((event) => event.durable);
  expect(all.at(-1)).toEqual({ type: 'end', reason: 'signed_out', after: durable.at(-1)!.eventId });
});

test('sends no result for payloads that have not been decrypted when the sign-in expires, and audits the reason', async () => {
  const expire = expiry();
  // The codec stops waiting for Cloud KMS long after the sign-in expires.
  await using other = stack.kms.another(undefined, 10 * MINUTE);
  const unwrap = vi.spyOn(other.codec.keyService, 'unwrap');
  const { audit, entries } = recordedAudit();
  const app = stack.replica({ access, audit, codec: other.codec });
  stack.kms.emulator.injectFault({ effect: { kind: 'hang' } });
  const response = await postTo(app, run, 'payloads:decode', { refs: ['1:0'] });
  const all = Array.fromAsync(lines(response, decodeFrame));
  await expect.poll(() => unwrap.mock.calls.length).toBeGreaterThan(0);
  expire();
  expect(await all).toEqual([{ type: 'end', reason: 'signed_out' }]);
  stack.kms.emulator.clearFaults();
  expect(entries.at(-1)).toMatchObject({ event: 'outcome', outcome: { result: 'signed_out', payloads: 0 } });
});
