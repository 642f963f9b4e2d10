import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { streamLifetime, type StreamLifetime } from '../../src/history/stream-limits.ts';
import { MemoryBudget } from '../../src/memory.ts';

setFlagsFromString('--expose-gc');
/** Runs V8's garbage collection. */
export const collectGarbage: () => void = runInNewContext('gc');

/** A budget that no test exhausts. */
export const memory = new MemoryBudget(2 ** 30);

export const never = new AbortController().signal;

/**
 * Returns a stream's lifetime. By default, the stream lasts at most a minute, and the client stays connected.
 */
export const lifetimeWith = (options: Partial<Parameters<typeof streamLifetime>[0]> = {}): StreamLifetime =>
  streamLifetime({ disconnected: never, stopping: never, maxMs: 60_000, memory, ...options });
