import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { Random } from '@temporal-kms/testing/random';
import { KEY, type Message } from './messages.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Process {
  version: number;
  /** The time when the process got its branch key. */
  since: number;
}

/** An in-memory model of a crypto key and the programs that encrypt with it. */
export class KeyModel {
  readonly #random: Random;
  /** Google's clock. */
  readonly #clock: { readonly now: number };
  readonly versions: { readonly version: number; readonly created: number }[];
  /** The versions that became primary and the times when they did, oldest first. */
  readonly primaries: { readonly version: number; readonly time: number }[];
  readonly #processes: Process[] = [];
  /** Whether programs also write messages whose header names no version. */
  readonly #writesUnnamed: boolean;
  /** Whether Cloud KMS is unavailable to programs that need a new key. */
  readonly #hasOutage: boolean;

  constructor(random: Random, clock: { readonly now: number }) {
    this.#random = random;
    this.#clock = clock;
    const { now } = clock;
    this.versions = [{ version: 1, created: now - DAY }];
    this.primaries = [{ version: 1, time: now - DAY }];
    this.#writesUnnamed = random.oneIn(5);
    this.#hasOutage = random.oneIn(2);
    for (let n = random.below(3); n >= 0; n -= 1) this.#processes.push({ version: 1, since: now });
  }

  get primary(): number {
    return this.primaries.at(-1)!.version;
  }

  rotate(): void {
    const { now } = this.#clock;
    const version = this.versions.length + 1;
    this.versions.push({ version, created: now });
    // A version may be made primary long after it was created.
    if (!this.#random.oneIn(4)) this.primaries.push({ version, time: now });
  }

  promoteLatest(): void {
    const { now } = this.#clock;
    const version = this.versions.length;
    if (this.primary !== version) this.primaries.push({ version, time: now });
  }

  /**
   * Encrypts with the branch key of a random program. A program keeps its branch key for up to a day if Cloud
   * KMS does not answer.
   */
  encrypt(): Message {
    const { now } = this.#clock;
    const process = this.#random.pick(this.#processes);
    const age = now - process.since;
    const isRefreshed = age > DAY || (age > HOUR && !this.#hasOutage && !this.#random.oneIn(3));
    if (isRefreshed) {
      // A new primary version may take hours to reach every server of Cloud KMS.
      const delay = this.#random.next() * 3 * HOUR;
      const known = this.primaries.filter(({ time }) => time <= now - delay).at(-1) ?? this.primaries[0]!;
      Object.assign(process, { version: known.version, since: now });
    }
    return { version: process.version, named: !(this.#writesUnnamed && this.#random.oneIn(3)) };
  }

  /**
   * Returns when a version later than the given version first became primary, or undefined if no later
   * version has.
   */
  replacedAt(version: number): number | undefined {
    return this.primaries.find((one) => one.version > version)?.time;
  }

  get description(): KeyDescription {
    return {
      key: KEY,
      protectionLevel: 'SOFTWARE',
      primary: this.primary,
      rotationPeriodSeconds: undefined,
      nextRotation: undefined,
      versions: this.versions.map(({ version, created }) => ({
        version,
        state: 'ENABLED',
        created: new Date(created),
        destroyTime: undefined,
      })),
    };
  }
}
