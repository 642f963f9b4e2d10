import { MAX_FILE_BODY } from '@temporal-kms/codec-api';
import type { OpenedFile } from './history-file.ts';

/** Maximum bytes of events in a request, about half of what the server accepts. */
const MAX_EVENTS_BYTES = MAX_FILE_BODY / 2;

type Picked = Awaited<ReturnType<OpenedFile['pick']>>;

/** Yields a file's events in batches that the server accepts as requests. */
export async function* requestsOf(
  eventIds: readonly number[],
  pick: (eventIds: readonly number[]) => Promise<Picked>,
): AsyncGenerator<{ readonly eventIds: ReadonlySet<number>; readonly body: Picked }> {
  const { encoding, events } = await pick(eventIds);
  let ids: number[] = [];
  let texts: string[] = [];
  let bytes = 0;
  for (const [index, text] of events.entries()) {
    if (texts.length > 0 && bytes + text.length > MAX_EVENTS_BYTES) {
      yield { eventIds: new Set(ids), body: { encoding, events: texts } };
      [ids, texts, bytes] = [[], [], 0];
    }
    ids.push(eventIds[index] ?? 0);
    texts.push(text);
    bytes += text.length;
  }
  if (texts.length > 0) yield { eventIds: new Set(ids), body: { encoding, events: texts } };
}
