/** A machine's clocks, in milliseconds. */
export interface Clocks {
  /** Returns milliseconds since 1970. This clock can be set forward and back. */
  readonly wall: () => number;
  /**
   * Returns milliseconds since an arbitrary time. This clock is never set, and can stand still while the
   * machine is suspended.
   */
  readonly running: () => number;
}

export const systemClocks: Clocks = { wall: () => Date.now(), running: () => performance.now() };

/** Returns clocks for tests. Only the wall clock moves. */
export const clocksOf = (wall: () => number): Clocks => ({ wall, running: () => 0 });

/**
 * How far the wall clock may be behind the running clock, in ms, before it counts as set back. It can seem to
 * be behind because the two clocks are not read at exactly the same moment.
 */
const TOLERANCE_MS = 100;

/**
 * After both clocks were read, only the wall clock is read for this long, in ms of the wall clock. This saves
 * time, because reading a clock whose code is not in the processor's caches takes two microseconds in a
 * worker. If the wall clock is set back during this period, but not to before its previous reading, the
 * change is noticed only at the end of the period.
 */
const WALL_ONLY_MS = 250;

/**
 * Returns a clock that measures how old keys are. From one reading of both clocks to the next, it advances as
 * much as the clock that advanced more. In between, for at most `WALL_ONLY_MS`, it follows the wall clock.
 * The clock therefore counts the time in which the machine was suspended, and continues if the time of day is set
 * back, so that keys are not used for too long. The clock misses a suspension if the time of day is set back
 * by the same amount. The clock starts at the current time of day. `maintain` reads the clock every 15 s.
 */
export function elapsedClock({ wall, running }: Clocks): () => number {
  let offset = wall() - running();
  let elapsedOffset = offset;
  // `bothRead`: wall time when both clocks were last read; `elapsed`: the last result; `lastWall`: the last
  // reading of the wall clock.
  let [bothRead, elapsed, lastWall] = [Number.NEGATIVE_INFINITY, 0, 0];
  return () => {
    const wallTime = wall();
    const passed = wallTime - lastWall;
    lastWall = wallTime;
    if (passed >= 0 && wallTime < bothRead + WALL_ONLY_MS) {
      elapsed += passed;
      return elapsed;
    }
    const time = running();
    const moved = wallTime - time - offset;
    if (moved > 0) elapsedOffset += moved;
    if (moved > 0 || moved < -TOLERANCE_MS) offset += moved;
    bothRead = wallTime;
    // The previous result is greater if the wall clock ran ahead while it alone was read.
    elapsed = Math.max(time + elapsedOffset, elapsed);
    return elapsed;
  };
}
