import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Payload } from '../json/payload.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import { ClientDisconnected } from '../errors.ts';

const SLICE_PAYLOADS = 500;
const SLICE_BYTES = 4 * 1024 * 1024;

/**
 * Processes payloads in slices. Between slices other requests get their turn, and a request whose client has disconnected
 * or whose deadline has passed ends.
 * @param process returns the results for the payloads from `start` to `end`, exclusive
 * @throws ClientDisconnected, and what `process` throws
 */
export function inSlices(c: Asked, payloads: readonly Payload[], process: Process): Promise<Payload[]> {
  // Most requests are one slice, which costs no copy.
  return endOfSlice(payloads, 0) === payloads.length
    ? processIfConnected(c, 0, payloads.length, process)
    : sliceAfterSlice(c, payloads, process);
}

type Asked = { readonly env?: Env['Bindings'] };
type Process = (start: number, end: number) => Promise<Payload[]>;

function processIfConnected(c: Asked, start: number, end: number, process: Process): Promise<Payload[]> {
  return isResponseClosed(c) ? Promise.reject(new ClientDisconnected()) : process(start, end);
}

async function sliceAfterSlice(c: Asked, payloads: readonly Payload[], process: Process): Promise<Payload[]> {
  const results: Payload[] = [];
  for (let start = 0; ;) {
    const end = endOfSlice(payloads, start);
    for (const result of await processIfConnected(c, start, end, process)) results.push(result);
    start = end;
    if (start === payloads.length) return results;
    await nextTurn();
  }
}

function endOfSlice(payloads: readonly Payload[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < payloads.length && end - start < SLICE_PAYLOADS && (end === start || bytes < SLICE_BYTES)) {
    bytes += payloads[end]?.data?.length ?? 0;
    end += 1;
  }
  return end;
}
