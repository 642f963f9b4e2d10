/** The clocks of a machine, in milliseconds. */
export interface Clocks {
  /** Since 1970. It can be set forward and back. */
  readonly wall: () => number;
  /** Since any time. It is never set, and may stand still while the machine is suspended. */
  readonly running: () => number;
}

export const systemClocks: Clocks = { wall: () => Date.now(), running: () => performance.now() };

/** The clocks that a test sets: its one clock is the time of day. */
export const clocksOf = (wall: () => number): Clocks => ({ wall, running: () => 0 });

/**
 * A wall clock that is behind by at most this, in ms, counts as unchanged, because the two clocks are not read at the
 * same moment.
 */
const TOLERANCE_MS = 100;

/**
 * For this long after both clocks were read, in ms of the wall clock, only the wall clock is read: in a worker, a clock
 * whose code is not in the processor's caches takes two microseconds. A wall clock that is set back during a pause is
 * noticed this much later.
 */
const WALL_ONLY_MS = 250;

/**
 * Returns a clock for ages: it advances by whichever clock has advanced more since the last reading. So it counts the
 * time during which the machine was suspended, and continues when the time of day is set back: otherwise keys would be
 * used for longer. It cannot see a suspension if the time of day was set back by the same amount. `maintain` reads it
 * every 15 s. It starts with the time of day.
 */
export function elapsedClock({ wall, running }: Clocks): () => number {
  let offset = wall() - running();
  let elapsedOffset = offset;
  // The last reading of both clocks, and the wall clock's last.
  let [elapsed, bothRead, lastWall] = [0, Number.NEGATIVE_INFINITY, 0];
  return () => {
    const wallTime = wall();
    const isForward = wallTime >= lastWall;
    lastWall = wallTime;
    if (isForward && wallTime < bothRead + WALL_ONLY_MS) return elapsed + wallTime - bothRead;
    const time = running();
    const moved = wallTime - time - offset;
    if (moved > 0) elapsedOffset += moved;
    if (moved > 0 || moved < -TOLERANCE_MS) offset += moved;
    bothRead = wallTime;
    elapsed = time + elapsedOffset;
    return elapsed;
  };
}
