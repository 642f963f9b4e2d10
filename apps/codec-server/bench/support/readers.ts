import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { protocolHeaders, repeat } from './probes.ts';

/** A POST that readers send repeatedly. */
export interface Load {
  readonly url: string;
  readonly body: string;
}

export interface Read {
  readonly responses: number;
  readonly bytes: number;
  readonly failed: readonly string[];
}

/**
 * Starts readers in another thread, so that their work does not delay the requests that this thread measures.
 * @returns a function that stops the readers and returns what they have read
 */
export function startReaders(load: Load, readers: number): () => Promise<Read> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { load, readers } });
  return async () => {
    const done = once(thread, 'message');
    thread.postMessage('end', []);
    const [read] = await done;
    await thread.terminate();
    return read;
  };
}

/** Returns the number of bytes in the response, or undefined if the server is busy and sends Retry-After. */
function readWhole({ url, body }: Load, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: protocolHeaders, signal }, (response) => {
      let bytes = 0;
      let end = '';
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        end = `${end}${chunk.toString('latin1', Math.max(0, chunk.length - 300))}`.slice(-300);
      });
      response.on('end', () => {
        const isWhole =
          response.statusCode === 200 && !end.includes('$truncated') && !/"reason":"(?!complete)/.test(end);
        if (isWhole) resolve(bytes);
        else if (response.statusCode === 503 && response.headers['retry-after']) resolve(undefined);
        else reject(new Error(`${response.statusCode} ${end}`));
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

if (!isMainThread) {
  const { load, readers }: { load: Load; readers: number } = workerData;
  const ended = new AbortController();
  const failed: string[] = [];
  let [responses, bytes] = [0, 0];
  parentPort?.once('message', () => {
    ended.abort();
    parentPort?.postMessage({ responses, bytes, failed } satisfies Read, []);
  });
  const readAgain = async (): Promise<void> => {
    const read = await readWhole(load, ended.signal);
    if (read === undefined) return sleep(1_000, undefined, { signal: ended.signal });
    bytes += read;
    responses += 1;
  };
  await Promise.all(
    Array.from({ length: readers }, () =>
      repeat(ended.signal, readAgain, (error) => failed.push(String(error))),
    ),
  );
}
