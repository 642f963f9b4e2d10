import { ApiFailure, connectionBroke, unexpectedAnswer } from '../../session/server/failure.ts';
import type { HistoryDelta } from '../events/history-indexer.ts';
import type { HistoryEnd, IndexPort, IndexReply, IndexRequest } from './history-protocol.ts';
import type { RunTimes } from './run-times.ts';
import { historyWorker } from './start-history-worker.ts';

export interface HistoryClientOptions {
  readonly port: IndexPort<IndexReply>;
  readonly onDelta: (delta: HistoryDelta) => void;
  readonly onHeartbeat: () => void;
  /** Called with the events, starting at `from`, whose names match the latest search. */
  readonly onFound: (eventIds: readonly number[], from: number) => void;
}

export type HistoryClient = ReturnType<typeof createHistoryClient>;

/** Maximum bytes that the worker has received but not parsed. */
const MAX_OUTSTANDING = 1024 * 1024;

/** The body being read. */
interface Reading {
  readonly body: number;
  outstanding: number;
  /** Called when the worker has parsed a chunk. */
  taken: () => void;
  readonly ended: (end: HistoryEnd | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** Creates the page's end of the channel to the worker that parses and groups one run's history. */
export function createHistoryClient({ port, onDelta, onHeartbeat, onFound }: HistoryClientOptions) {
  let bodies = 0;
  let searches = 0;
  let questions = 0;
  const asked = new Map<number, (times: RunTimes) => void>();
  let reading: Reading | undefined;

  const send = (message: IndexRequest, transfer: Transferable[] = []) => port.postMessage(message, transfer);

  function receive(reply: IndexReply) {
    if (reply.type === 'delta') onDelta(reply.delta);
    else if (reply.type === 'times') {
      asked.get(reply.question)?.(reply.times);
      asked.delete(reply.question);
    } else if (reply.type === 'found') {
      if (reply.search === searches) onFound(reply.eventIds, reply.from);
    } else if (reading?.body === reply.body) {
      received(reply, reading);
    }
  }

  function received(reply: Extract<IndexReply, { body: number }>, current: Reading) {
    switch (reply.type) {
      case 'heartbeat':
        onHeartbeat();
        break;
      case 'taken':
        current.outstanding -= reply.bytes;
        current.taken();
        break;
      case 'ended':
        current.ended(reply.end);
        break;
      default:
        current.failed(
          reply.cause === 'gap'
            ? new ApiFailure('unreachable', 'The codec server’s answer has a gap.', { cause: reply.message })
            : unexpectedAnswer(reply.message),
        );
    }
  }

  port.addEventListener('message', ({ data }) => receive(data));
  port.start();

  return {
    /**
     * Sends a body to the worker. Resolves with the body's last line, or undefined if the body was truncated.
     * @throws ApiFailure `unexpected` for a body that breaks the contract, `unreachable` for a body with a gap or a
     *   broken connection; the signal's reason when it aborts
     */
    async read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal) {
      bodies += 1;
      const body = bodies;
      const { promise, resolve, reject } = Promise.withResolvers<HistoryEnd | undefined>();
      // Prevents an unhandled rejection: the body may fail before anything awaits the promise.
      promise.catch(() => undefined);
      const current: Reading = {
        body,
        outstanding: 0,
        taken: () => undefined,
        ended: resolve,
        failed: reject,
      };
      reading = current;
      const reader = stream.getReader();
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      send({ type: 'body', body });
      try {
        const pump = async () => {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            current.outstanding += value.length;
            // Copies a chunk that is a view of a larger buffer, because buffers are transferred as a whole.
            const bytes = value.length === value.buffer.byteLength ? value : value.slice();
            send({ type: 'chunk', body, bytes }, [bytes.buffer]);
            while (current.outstanding > MAX_OUTSTANDING) {
              await new Promise<void>((taken) => {
                current.taken = taken;
              });
            }
          }
          send({ type: 'eof', body });
        };
        pump().catch((error: unknown) => {
          reject(error instanceof ApiFailure ? error : connectionBroke(error));
        });
        return await promise;
      } finally {
        signal.removeEventListener('abort', abort);
        if (reading === current) reading = undefined;
        await reader.cancel().catch(() => undefined);
      }
    },
    /**
     * Searches the names of current and later events for all of the words. If `words` is empty, ends the
     * search.
     */
    find(words: readonly string[]) {
      searches += 1;
      send({ type: 'find', search: searches, words });
    },
    /**
     * Returns where the run's time went, given the events that the worker has so far. The promise never
     * settles after `close`.
     */
    times(now: number): Promise<RunTimes> {
      questions += 1;
      const question = questions;
      const { promise, resolve } = Promise.withResolvers<RunTimes>();
      asked.set(question, resolve);
      send({ type: 'times', question, now });
      return promise;
    },
    close() {
      send({ type: 'close' });
      port.close();
    },
  };
}

/** Opens a channel to the worker that all runs on the page share. */
export function openHistoryPort(): IndexPort<IndexReply> {
  const { port1, port2 } = new MessageChannel();
  historyWorker().postMessage(undefined, [port2]);
  return port1;
}
