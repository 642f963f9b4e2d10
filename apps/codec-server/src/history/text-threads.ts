import { accessSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import type { JsonText, Payload } from '@temporal-kms/histories/payloads';
import { utf8Pieces } from '@temporal-kms/histories/bytes';
import { bodyOf, type PayloadBody, readableUnlessBytes } from '@temporal-kms/histories/readable';
import type { FieldMap } from '@temporal-kms/histories/why';
import workerpool from 'workerpool';
import { payloadFields } from './payload-fields.ts';
import { textFinder, type TextMatch, type TextQuery } from './payload-text.ts';

/**
 * Payloads of up to this many bytes are processed in the main thread. Processing so few bytes takes at most a
 * millisecond, less than a transfer to another thread.
 */
const SMALL_BYTES = 16 * 1024;

/**
 * Time limit for one payload, in milliseconds, so that a crafted payload cannot occupy a thread for long. A
 * normal payload of 2 MB takes about 50 ms.
 */
const LIMIT_MS = 2_000;

/** How long a thread may take to stop on its own after its task is cancelled, in milliseconds. */
const TERMINATE_MS = 20;

const MiB = 1024 * 1024;

/**
 * Heap limit of a thread, in MiB. A payload's text takes at most twice its bytes, and the number of matches
 * is bounded.
 */
const HEAP_MIB = Math.min(128, getHeapStatistics().heap_size_limit / MiB / 2);

/**
 * Size of a thread's young generation in MiB. Idle threads keep this memory. V8 allocates large payloads
 * outside the young generation.
 */
const YOUNG_MIB = 8;

/**
 * Processes the text of decrypted payloads. Uses worker threads for large payloads, so that no payload blocks
 * the event loop. Each method returns undefined if a payload exceeds a thread's time or memory limit.
 */
export interface TextThreads {
  /**
   * Finds text in a decrypted payload.
   * @param canTransfer whether the payload's bytes may be transferred to a thread, which detaches the bytes;
   * true only if nothing else uses them
   * @throws the signal's reason once the signal is aborted, which also cancels the search
   */
  find(
    query: TextQuery,
    payload: Payload,
    canTransfer: boolean,
    signal: AbortSignal,
  ): Promise<readonly TextMatch[] | undefined> | readonly TextMatch[];
  /**
   * Returns a decrypted payload as JSON text for people, or undefined if the bytes are not text.
   * @throws like `find`
   */
  readable(payload: Payload, signal: AbortSignal): Promise<JsonText | undefined> | string | undefined;
  /**
   * Returns a decrypted payload's fields, whose names begin with `name`.
   * @throws like `find`
   */
  fields(name: string, payload: Payload, signal: AbortSignal): Promise<FieldMap | undefined> | FieldMap;
  /** Terminates the threads. */
  close(): Promise<void>;
}

export interface TextThreadsOptions {
  /** Number of threads. Default: the number of processors minus one, but at least one and at most four. */
  readonly threads?: number;
  /** Time limit for one payload in milliseconds. Default: 2,000. */
  readonly limitMs?: number;
  /** Heap limit of a thread in MiB. Default: 128, or half of the process's own limit if that is less. */
  readonly heapMiB?: number;
}

/**
 * Returns a pool of worker threads. Threads start only when there are large payloads.
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

  /**
   * The queue needs no limit: each stream submits one payload at a time, and the number of streams is limited.
   */
  const run = async <T>(
    method: 'find' | 'readable' | 'fields',
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
      // Drops the error, because its message may contain payload data.
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
      // Transfers a copy, because the export needs the original bytes if they are not text or if the thread
      // fails.
      return run<Uint8Array>('readable', [], copyOf(body), signal).then((text) => text && utf8Pieces(text));
    },
    fields: (name, payload, signal) => {
      const body = bodyOf(payload);
      if (body.data.length <= SMALL_BYTES) return payloadFields(name, body);
      return run('fields', [name], copyOf(body), signal);
    },
    close: async () => {
      await pool.terminate(true);
    },
  };
}

/** Returns the path of the worker's file, which is next to this module or next to the bundle. */
const workerFile = (): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? 'text-worker.ts' : 'text-worker.mjs', import.meta.url),
  );

const copyOf = ({ data, encoding }: PayloadBody): PayloadBody => ({ data: new Uint8Array(data), encoding });

/** Whether the bytes have their own buffer and are not a view of Node's pool or of a history page. */
const hasOwnBuffer = ({ buffer, length }: Uint8Array): boolean =>
  buffer instanceof ArrayBuffer && buffer.byteLength - length < SMALL_BYTES;
