import { MAX_FILE_EVENTS, MAX_HITS, type SearchFrame, type SearchRequest } from '@temporal-kms/codec-api';
import { nothingSearched, sum } from '../search/payload-search.ts';
import type { FilesApi } from './api.ts';
import { requestsOf } from './file-requests.ts';
import type { OpenedFile } from './history-file.ts';

interface SearchedFile {
  readonly api: Pick<FilesApi, 'searchFile'>;
  readonly namespace: string;
  /** The workflow id in the file. */
  readonly workflow: { readonly workflowId?: string };
  readonly file: Pick<OpenedFile, 'pick' | 'runs'>;
  /** The run's position in the file. */
  readonly run: number;
}

/**
 * Searches the decrypted payloads of a run in a file, last event first. The server searches a batch of events
 * per request. The results form one search, with summed counts and one `end` line.
 */
export async function* fileSearch(
  { api, namespace, workflow, file, run }: SearchedFile,
  { text, caseSensitive, after: last, justification }: SearchRequest,
  signal: AbortSignal,
): AsyncGenerator<SearchFrame, void> {
  const length = file.runs[run]?.length ?? 0;
  const wanted = { ...workflow, text, caseSensitive, ...(justification !== undefined && { justification }) };
  let counts = nothingSearched;
  let hits = 0;
  let after = last ?? length + 1;
  while (after > 1) {
    const first = Math.max(after - MAX_FILE_EVENTS, 1);
    const ids = Array.from({ length: after - first }, (_, index) => after - 1 - index);
    for await (const { body } of requestsOf(ids, (eventIds) => file.pick(run, eventIds))) {
      const before = counts;
      let isComplete = false;
      for await (const frame of api.searchFile(namespace, { ...wanted, ...body }, signal)) {
        if (frame.type === 'hit') {
          hits += 1;
          yield frame;
          continue;
        }
        ({ after } = frame);
        counts = sum(before, frame);
        if (frame.type === 'progress') yield { ...frame, ...counts, of: length };
        else if (frame.reason === 'complete') isComplete = true;
        else {
          yield { ...frame, ...counts, hits };
          return;
        }
      }
      // The connection broke. The caller treats a search without an `end` line as failed.
      if (!isComplete) return;
      if (hits >= MAX_HITS && after > 1) {
        yield { type: 'end', reason: 'limit', after, hits, ...counts };
        return;
      }
      yield { type: 'progress', after, of: length, ...counts };
    }
    after = first;
  }
  yield { type: 'end', reason: 'complete', after, hits, ...counts };
}
