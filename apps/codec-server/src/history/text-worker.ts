import { type PayloadBody, readableUnlessBytes } from '@temporal-kms/histories/readable';
import workerpool from 'workerpool';
import { payloadFields } from './payload-fields.ts';
import { textFinder, type TextMatch, type TextQuery } from './payload-text.ts';

/*
 * The main module of the worker threads that process the text of large payloads (text-threads.ts). The threads receive
 * plaintext and nothing else: no key, no token, no connection.
 */

workerpool.worker({
  find: (query: TextQuery, body: PayloadBody): TextMatch[] => process(body, textFinder(query)),
  fields: (name: string, body: PayloadBody) => process(body, (own) => payloadFields(name, own)),
  readable: (body: PayloadBody) => {
    const text = process(body, readableUnlessBytes);
    if (text === undefined) return undefined;
    // Returns bytes, because bytes can be transferred to the main thread without a copy.
    const bytes = new TextEncoder().encode(text);
    return new workerpool.Transfer(bytes, [bytes.buffer]);
  },
});

/** Overwrites the payload's bytes, which belong to this thread, as soon as they are processed. */
function process<T>(body: PayloadBody, act: (body: PayloadBody) => T): T {
  // Starts the time limit, which must not include this thread's startup.
  workerpool.workerEmit('started');
  try {
    return act(body);
  } finally {
    body.data.fill(0);
  }
}
