/**
 * Bytes of a payload that are processed in one turn of the event loop. Each step on this many bytes (cipher,
 * digest, base64, UTF-8, writing to a socket) takes less than a millisecond.
 */
export const SLICE_BYTES = 256 * 1024;

/**
 * Requests up to this size in bytes are processed without slices, in about 2 ms from body to response. With
 * slices, the buffers of all requests in flight would live longer, which costs a third of the throughput.
 */
export const WHOLE_BYTES = 640 * 1024;

const waiting: (() => void)[] = [];

/**
 * Resolves in a later turn of the event loop. Calls resolve in the order in which they were made, at most one
 * per turn; otherwise, the slices of all large requests would run in the same turn, and small requests would
 * wait for all of them.
 */
export function ownTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (waiting.push(resolve) === 1) afterTurns(TURNS_BETWEEN);
  return promise;
}

/**
 * Number of turns between two slices. A small request takes several turns, and should not wait for a
 * slice in each turn.
 */
const TURNS_BETWEEN = 3;

function afterTurns(turns: number): void {
  setImmediate(turns > 1 ? () => afterTurns(turns - 1) : endTurn);
}

function endTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) afterTurns(TURNS_BETWEEN);
}

/** Divides the work of one request into turns of the event loop with at most `SLICE_BYTES` each. */
export class Slices {
  #left = SLICE_BYTES;

  /** Call this function before each step. Returns a promise if the step needs another turn. */
  next(bytes: number): Promise<void> | undefined {
    this.#left -= bytes;
    if (this.#left >= 0) return undefined;
    this.#left = SLICE_BYTES - bytes;
    return ownTurn();
  }
}

/** Work in steps. Yields the number of bytes that each step has processed. */
export type Steps<T> = Generator<number, T, void>;

/** Runs the steps, spread over several turns of the event loop if they process many bytes. */
export function inTurns<T>(steps: Steps<T>): T | Promise<T> {
  const slices = new Slices();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    const turn = slices.next(value);
    if (turn !== undefined) return continued(steps, slices, turn);
  }
}

async function continued<T>(steps: Steps<T>, slices: Slices, first: Promise<void>): Promise<T> {
  await first;
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await slices.next(value);
  }
}

/** Runs the steps in one turn. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
