import { type HistoryEvent, historyFrame } from '@temporal-kms/codec-api';
import { createLineParser } from '../../session/server/ndjson.ts';
import { messageOf } from '../../ui/errors.ts';
import { createHistoryIndexer, HistoryGap } from '../events/history-indexer.ts';
import type { HistoryEnd, IndexPort, IndexReply, IndexRequest } from './history-protocol.ts';

/** Maximum number of events in a message, so that the page applies a message in about a millisecond. */
const SLICE = 250;

/** Parses, validates and groups a run's events, which arrive through a channel. Runs in a worker. */
export function serveHistory(port: IndexPort<IndexRequest>): void {
  const index = createHistoryIndexer();
  let parser = createLineParser();
  let body = 0;
  let end: HistoryEnd | undefined;
  let broken = false;
  let search = 0;
  let words: readonly string[] = [];

  const reply = (message: IndexReply) => port.postMessage(message, []);

  function begin(number: number) {
    body = number;
    parser = createLineParser();
    end = undefined;
    broken = false;
  }

  function take(bytes: Uint8Array<ArrayBuffer>) {
    try {
      for (const line of parser.push(bytes)) frame(line);
    } catch (error) {
      broken = true;
      const cause = error instanceof HistoryGap ? 'gap' : 'contract';
      reply({ type: 'failed', body, cause, message: messageOf(error) });
    }
    reply({ type: 'taken', body, bytes: bytes.length });
  }

  function frame(line: unknown) {
    const parsed = historyFrame.parse(line);
    if (parsed.type === 'heartbeat') reply({ type: 'heartbeat', body });
    else if (parsed.type === 'end') end = parsed;
    else add(parsed.events);
  }

  /**
   * Adds events in slices. All events that are not durable go into one message, together with the events
   * before them, because any further message would drop them.
   */
  function add(events: readonly HistoryEvent[]) {
    const provisional = events.findIndex((event) => !event.durable);
    const durable = provisional < 0 ? events.length : provisional;
    for (let start = 0; start < events.length; start += SLICE) {
      const last = start + SLICE >= durable;
      append(events.slice(start, last ? undefined : start + SLICE));
      if (last) return;
    }
  }

  function append(events: readonly HistoryEvent[]) {
    const delta = index.append(events);
    if (!delta) return;
    reply({ type: 'delta', delta });
    if (words.length > 0) find(delta.keep + 1);
  }

  function find(from: number) {
    reply({ type: 'found', search, from, eventIds: index.find(words, from) });
  }

  async function times(question: number, now: number) {
    // This code is loaded on demand, because most visits do not ask where the time went.
    const { runTimes } = await import('./run-times.ts');
    reply({ type: 'times', question, times: runTimes(index.timed(), now) });
  }

  port.addEventListener('message', ({ data: request }) => {
    switch (request.type) {
      case 'body':
        begin(request.body);
        break;
      case 'chunk':
        if (request.body === body && !broken) take(request.bytes);
        break;
      case 'eof':
        if (request.body === body && !broken) reply({ type: 'ended', body, ...(end && { end }) });
        break;
      case 'find':
        ({ search, words } = request);
        if (words.length > 0) find(1);
        break;
      case 'times':
        void times(request.question, request.now);
        break;
      default:
        port.close();
    }
  });
  port.start();
}
