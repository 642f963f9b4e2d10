import type { Logger } from 'pino';

/** Something that comes and goes with every call, as a quota does, is told this often. */
const EVERY_MS = 60_000;

interface Words {
  readonly fails: string;
  readonly works: string;
  /** Of the first; `warn` unless told. */
  readonly level?: 'warn' | 'error';
}

/** One for each of several things of a kind, of which there are few. */
export function standings(log: Logger, words: Words): (which: string) => Standing {
  const known = new Map<string, Standing>();
  return (which) => {
    let one = known.get(which);
    if (one === undefined) known.set(which, (one = new Standing(log, words)));
    return one;
  };
}

/** What the log says of one thing that others depend on: each request that meets the fault has its own line. */
export class Standing {
  readonly #log: Logger;
  readonly #words: Words;
  #failing = false;
  #told = Number.NEGATIVE_INFINITY;

  /** @param words what is said once when it begins to fail, and once when it works again */
  constructor(log: Logger, words: Words) {
    this.#log = log;
    this.#words = words;
  }

  /** @param why fields of the line; nothing that comes from a caller */
  fails(why: Readonly<Record<string, unknown>>, now = performance.now()): void {
    if (this.#failing || now - this.#told < EVERY_MS) return;
    this.#failing = true;
    this.#told = now;
    this.#log[this.#words.level ?? 'warn'](why, this.#words.fails);
  }

  works(why: Readonly<Record<string, unknown>> = {}): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#log.info(why, this.#words.works);
  }
}
