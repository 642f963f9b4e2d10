import workerpool from 'workerpool';
import { type Body, textFinder, type TextMatch, type TextQuery } from './find-text.ts';
import { readableText } from './readable.ts';

/*
 * The main module of the threads that work on the text of large payloads (text-threads.ts). They get plaintext, and
 * nothing else: no key, no token, no connection.
 */

workerpool.worker({
  find: (query: TextQuery, body: Body): TextMatch[] => working(body, textFinder(query)),
  readable: (body: Body): string => working(body, readableText),
});

/** The bytes are this thread's own: they are wiped as soon as they have been read. */
function working<T>(body: Body, act: (body: Body) => T): T {
  // The time limit begins now: this thread may have had to start first.
  workerpool.workerEmit('started');
  try {
    return act(body);
  } finally {
    body.data.fill(0);
  }
}
