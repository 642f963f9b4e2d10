import { accessSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import type { JsonText, Payload } from '@temporal-kms/histories/payloads';
import { utf8Pieces } from '@temporal-kms/histories/bytes';
import { bodyOf, type PayloadBody, readableUnlessBytes } from '@temporal-kms/histories/readable';
import workerpool from 'workerpool';
import { textFinder, type TextMatch, type TextQuery } from './payload-text.ts';

/** Payloads of up to this many bytes are processed in the main thread: at most a millisecond, less than a transfer. */
const SMALL_BYTES = 16 * 1024;

/** A payload of 2 MB takes about 50 ms. A crafted payload must not occupy a thread. */
const LIMIT_MS = 2_000;

/** How long a thread may take to stop by itself after its task was cancelled. */
const TERMINATE_MS = 20;

const MiB = 1024 * 1024;

/** In MiB. The text of a payload takes at most twice its bytes, and the number of matches is bounded. */
const HEAP_MIB = Math.min(128, getHeapStatistics().heap_size_limit / MiB / 2);

/** Idle threads keep it. What they process is large, and thus outside the young generation. */
const YOUNG_MIB = 8;

/**
 * Processes the text of decrypted payloads. Large payloads are processed in worker threads, so that no payload blocks the
 * event loop. Each method returns undefined if a payload exceeds a thread's time or memory limit.
 */
export interface TextThreads {
  /**
   * Finds text in a decrypted payload.
   * @param canTransfer whether nothing else uses the payload's bytes: a transfer to a thread detaches them
   * @throws the signal's reason once it is aborted, which also cancels the search
   */
  find(
    query: TextQuery,
    payload: Payload,
    canTransfer: boolean,
    signal: AbortSignal,
  ): Promise<readonly TextMatch[] | undefined> | readonly TextMatch[];
  /** Returns a decrypted payload as JSON text for people; undefined also for bytes that are not text. @throws like `find` */
  readable(payload: Payload, signal: AbortSignal): Promise<JsonText | undefined> | string | undefined;
  /** Terminates the threads. */
  close(): Promise<void>;
}

export interface TextThreadsOptions {
  /** Default: the number of processors minus one, at least one and at most four. */
  readonly threads?: number;
  /** Time limit for one payload in milliseconds. Default: 2,000. */
  readonly limitMs?: number;
  /** Heap limit of a thread in MiB. Default: 128, or half of the process's own limit if that is less. */
  readonly heapMiB?: number;
}

/**
 * Returns a pool of worker threads. It starts a thread only when there is a large payload.
 * @throws Node's error if the file of the worker threads is missing
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
    workerThreadOpts: {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: YOUNG_MIB },
    },
  });

  /** Each stream submits one payload at a time, which bounds the queue by the number of streams. */
  const run = async <T>(
    method: 'find' | 'readable',
    given: readonly unknown[],
    body: PayloadBody,
    signal: AbortSignal,
  ): Promise<T | undefined> => {
    signal.throwIfAborted();
    let timer: WaitTimer | undefined;
    const cancel = (): void => {
      task.cancel();
    };
    const task = pool.exec(method, [...given, body], {
      transfer: [body.data.buffer],
      // The thread has started to work on the payload.
      on: () => (timer = new WaitTimer(limitMs, cancel)),
    });
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await task;
    } catch {
      // Drops the error, since its message may contain payload data.
      signal.throwIfAborted();
      return undefined;
    } finally {
      timer?.stop();
      signal.removeEventListener('abort', cancel);
    }
  };

  let last: { readonly query: TextQuery; readonly find: (body: PayloadBody) => TextMatch[] } | undefined;
  const findHere = (query: TextQuery, body: PayloadBody): TextMatch[] => {
    if (last?.query !== query) last = { query, find: textFinder(query) };
    return last.find(body);
  };

  return {
    find: (query, payload, canTransfer, signal) => {
      const body = bodyOf(payload);
      if (body.data.length <= SMALL_BYTES) return findHere(query, body);
      return run('find', [query], canTransfer && hasOwnBuffer(body.data) ? body : copyOf(body), signal);
    },
    readable: (payload, signal) => {
      const body = bodyOf(payload);
      if (body.data.length <= SMALL_BYTES) return readableUnlessBytes(body);
      // A copy, since the export contains the bytes themselves if they are not text or the thread fails.
      return run<Uint8Array>('readable', [], copyOf(body), signal).then((text) => text && utf8Pieces(text));
    },
    close: async () => {
      await pool.terminate(true);
    },
  };
}

/** The file is in the folder of this module, or next to the bundle. */
const workerFile = (): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? 'text-worker.ts' : 'text-worker.mjs', import.meta.url),
  );

const copyOf = ({ data, encoding }: PayloadBody): PayloadBody => ({ data: new Uint8Array(data), encoding });

/** Whether the bytes have a separate buffer, unlike views of Node's pool or of a history page. */
const hasOwnBuffer = ({ buffer, length }: Uint8Array): boolean =>
  buffer instanceof ArrayBuffer && buffer.byteLength - length < SMALL_BYTES;
