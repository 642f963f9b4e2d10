import { ownTurn, SLICE_BYTES } from './slices.ts';

/** How long a request may work before it yields to the event loop. */
const TURN_MS = 5;

/**
 * Call this function before each unit of work. The function yields to the event loop every few milliseconds,
 * and before a unit that is larger than a slice.
 * @param bytes size of the unit, if it may be large
 */
export type Checkpoint = (bytes?: number) => Promise<void>;

/** Returns a checkpoint function for the work of one request. */
export function createCheckpoint(): Checkpoint {
  let lastTurn = performance.now();
  return async (bytes = 0) => {
    if (bytes <= SLICE_BYTES && performance.now() - lastTurn < TURN_MS) return;
    await ownTurn();
    lastTurn = performance.now();
  };
}
