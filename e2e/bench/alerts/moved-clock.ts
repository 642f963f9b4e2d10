/*
 * `node --import moved-clock.ts` starts a process whose clock is ahead, so that keys age without waiting. The
 * file that CLOCK_FILE names contains the number of hours, which may change at any time.
 */
import { readFileSync } from 'node:fs';

const EVERY_MS = 200;
const HOUR_MS = 3_600_000;
const RealDate = Date;
let aheadMs = 0;

class MovedDate extends RealDate {
  constructor(...given: []) {
    if (given.length === 0) super(MovedDate.now());
    else super(...given);
  }

  static override now(): number {
    return RealDate.now() + aheadMs;
  }
}

const read = (): void => {
  aheadMs = Number(readFileSync(process.env['CLOCK_FILE'] ?? '', 'utf8')) * HOUR_MS;
};
read();
setInterval(read, EVERY_MS).unref();
Object.assign(globalThis, { Date: MovedDate });
