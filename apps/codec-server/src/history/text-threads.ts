import { accessSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { WaitTimer } from '@temporal-kms/kms-codec';
import workerpool from 'workerpool';
import type { Payload } from '../payload.ts';
import { type Body, textFinder, type TextMatch, type TextQuery } from './find-text.ts';
import { readableText } from './readable.ts';

/** Bytes up to which a payload is worked on in the main thread: at most a millisecond, less than handing it over. */
const SMALL_BYTES = 16 * 1024;

/** A payload of 2 MB takes some 50 ms; a crafted one must not keep a thread. */
const LIMIT_MS = 2_000;

/** How long a thread whose task was cancelled may take to end by itself. */
const TERMINATE_MS = 20;

const MiB = 1024 * 1024;

/** MiB. The text of a payload takes twice its bytes at most, and a list of matches is bounded. */
const HEAP_MIB = Math.min(128, getHeapStatistics().heap_size_limit / MiB / 2);

/**
 * Works on the text of decrypted payloads: large ones in threads, so that no payload keeps the event loop from others.
 * Each method returns undefined where a payload took more time or memory than a thread may spend on it.
 */
export interface TextThreads {
  /**
   * Finds text in a decrypted payload.
   * @param isOwn nothing else uses the payload's bytes: they are handed over to the thread, and gone afterwards
   * @throws the signal's reason once it is aborted; the work on it ends
   */
  find(
    query: TextQuery,
    payload: Payload,
    isOwn: boolean,
    signal: AbortSignal,
  ): Promise<readonly TextMatch[] | undefined> | readonly TextMatch[];
  /** Returns a decrypted payload as JSON text for people. @throws as `find` does */
  readable(payload: Payload, signal: AbortSignal): Promise<string | undefined> | string;
  /** Ends the threads. */
  close(): Promise<void>;
}

export interface TextThreadsOptions {
  /** Default: one less than there are processors, at least one and at most four. */
  readonly threads?: number;
  /** Milliseconds that a thread may work on one payload. Default 2,000. */
  readonly limitMs?: number;
  /** Memory of a thread's heap in MiB. Default 128, or half of this process's own limit where that is less. */
  readonly heapMiB?: number;
}

/**
 * Starts no thread before the first large payload.
 * @throws Node's error when the file of the threads is missing
 */
export function startTextThreads({
  threads,
  limitMs = LIMIT_MS,
  heapMiB = HEAP_MIB,
}: TextThreadsOptions = {}): TextThreads {
  const file = workerFile();
  accessSync(file);
  const pool = workerpool.pool(file, {
    workerType: 'thread',
    maxWorkers: threads ?? Math.min(4, Math.max(1, availableParallelism() - 1)),
    workerTerminateTimeout: TERMINATE_MS,
    workerThreadOpts: { env: {}, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: heapMiB } },
  });

  /** Streams have one payload here at a time, so the queue is as long as there are streams. */
  const run = async <T>(
    method: 'find' | 'readable',
    given: readonly unknown[],
    body: Body,
    signal: AbortSignal,
  ): Promise<T | undefined> => {
    signal.throwIfAborted();
    let timer: WaitTimer | undefined;
    const cancel = (): void => {
      task.cancel();
    };
    const task = pool.exec(method, [...given, body], {
      transfer: [body.data.buffer],
      // The thread has begun.
      on: () => (timer = new WaitTimer(limitMs, cancel)),
    });
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await task;
    } catch {
      // Its error may quote the payload: what is said of it is that it can't be worked on.
      signal.throwIfAborted();
      return undefined;
    } finally {
      timer?.stop();
      signal.removeEventListener('abort', cancel);
    }
  };

  let last: { readonly query: TextQuery; readonly find: (body: Body) => TextMatch[] } | undefined;
  const findHere = (query: TextQuery, body: Body): TextMatch[] => {
    if (last?.query !== query) last = { query, find: textFinder(query) };
    return last.find(body);
  };

  return {
    find: (query, payload, isOwn, signal) => {
      const body = bodyOf(payload);
      if (body.data.length <= SMALL_BYTES) return findHere(query, body);
      return run('find', [query], isOwn && isAlone(body.data) ? body : copyOf(body), signal);
    },
    readable: (payload, signal) => {
      const body = bodyOf(payload);
      // A copy, since its bytes are written as they are where the thread can't read them.
      return body.data.length <= SMALL_BYTES ? readableText(body) : run('readable', [], copyOf(body), signal);
    },
    close: async () => {
      await pool.terminate(true);
    },
  };
}

/** In the folder of this file, or of the bundle. */
const workerFile = (): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? 'text-worker.ts' : 'text-worker.mjs', import.meta.url),
  );

export function bodyOf({ data, metadata }: Payload): Body {
  return { data: data ?? new Uint8Array(), encoding: Buffer.from(metadata?.['encoding'] ?? []).toString() };
}

const copyOf = ({ data, encoding }: Body): Body => ({ data: Uint8Array.from(data), encoding });

/** Whether the memory behind the bytes holds hardly anything else: Node's pool and a history's page do. */
const isAlone = ({ buffer, length }: Uint8Array): boolean =>
  buffer instanceof ArrayBuffer && buffer.byteLength - length < SMALL_BYTES;
