import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Payload } from '../history/message.ts';
import type { Env } from '../http/context.ts';
import { isOver } from '../http/limits.ts';
import { GoneError } from '../http/refusal.ts';

const SLICE_PAYLOADS = 500;
const SLICE_BYTES = 4 * 1024 * 1024;

/**
 * Works on payloads a slice at a time and looks up before each: other requests get their turn, and a client that went
 * away, or was told that it took too long, costs no more than the slice that it was in.
 *
 * @throws GoneError, and what `act` throws
 */
export async function inSlices(
  c: { readonly env?: Env['Bindings'] },
  payloads: Payload[],
  act: (slice: Payload[]) => Promise<Payload[]>,
): Promise<Payload[]> {
  const results: Payload[] = [];
  let from = 0;
  for (;;) {
    if (isOver(c)) throw new GoneError();
    const until = endOfSlice(payloads, from);
    // The usual request is one slice, and costs no copy.
    if (from === 0 && until === payloads.length) return act(payloads);
    for (const result of await act(payloads.slice(from, until))) results.push(result);
    from = until;
    if (from === payloads.length) return results;
    await nextTurn();
  }
}

function endOfSlice(payloads: readonly Payload[], from: number): number {
  let bytes = 0;
  let until = from;
  while (
    until < payloads.length &&
    until - from < SLICE_PAYLOADS &&
    (until === from || bytes < SLICE_BYTES)
  ) {
    bytes += payloads[until]?.data?.length ?? 0;
    until += 1;
  }
  return until;
}
