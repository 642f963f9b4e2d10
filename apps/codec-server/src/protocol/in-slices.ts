import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Payload } from '../payload.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import { ClientDisconnected } from '../errors.ts';

const SLICE_PAYLOADS = 500;
const SLICE_BYTES = 4 * 1024 * 1024;

/**
 * Works on payloads a slice at a time and looks up before each: other requests get their turn, and a client that went
 * away, or was told that it took too long, costs no more than the slice that it was in.
 *
 * @throws ClientDisconnected, and what `act` throws
 */
export function inSlices(c: Asked, payloads: Payload[], act: Act): Promise<Payload[]> {
  // The usual request is one slice, and costs no copy.
  return endOfSlice(payloads, 0) === payloads.length
    ? actIfAsked(c, payloads, act)
    : sliceAfterSlice(c, payloads, act);
}

type Asked = { readonly env?: Env['Bindings'] };
type Act = (slice: Payload[]) => Promise<Payload[]>;

function actIfAsked(c: Asked, slice: Payload[], act: Act): Promise<Payload[]> {
  return isResponseClosed(c) ? Promise.reject(new ClientDisconnected()) : act(slice);
}

async function sliceAfterSlice(c: Asked, payloads: Payload[], act: Act): Promise<Payload[]> {
  const results: Payload[] = [];
  for (let from = 0; ;) {
    const until = endOfSlice(payloads, from);
    for (const result of await actIfAsked(c, payloads.slice(from, until), act)) results.push(result);
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
