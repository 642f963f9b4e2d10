import type { HistorySource } from '../runs/run/history-source.ts';
import { unexpectedAnswer } from '../session/server/failure.ts';
import type { FilesApi } from './api.ts';
import type { OpenedFile } from './history-file.ts';

/** Number of requests in flight: the server describes events while the worker indexes earlier events. */
const AHEAD = 3;

interface FileHistoryOptions {
  readonly api: Pick<FilesApi, 'inspectFile'>;
  readonly namespace: string;
  readonly workflowId: string | undefined;
  readonly file: Pick<OpenedFile, 'slice' | 'runs'>;
  /** The run's position in the file. */
  readonly run: number;
}

/** Returns the history of a run in a file. The server describes the run's events in batches. */
export const fileHistory = ({
  api,
  namespace,
  workflowId,
  file,
  run,
}: FileHistoryOptions): HistorySource => ({
  open: async (after, signal) => {
    const length = file.runs[run]?.length ?? 0;
    const lines = describedLines();
    const encoder = new TextEncoder();

    async function* describedLines(): AsyncGenerator<string, void> {
      const ahead: Promise<string>[] = [];
      let next: number | undefined = after < length ? after + 1 : undefined;
      for (;;) {
        while (ahead.length < AHEAD && next !== undefined) {
          const { encoding, events, next: following } = await file.slice(run, next);
          next = following;
          const body = { ...(workflowId !== undefined && { workflowId }), encoding, events };
          const text = api.inspectFile(namespace, body, signal);
          // The `await` below handles a rejection, unless an earlier request fails first.
          text.catch(() => undefined);
          ahead.push(text);
        }
        const first = ahead.shift();
        if (first === undefined) break;
        yield eventsLine(await first);
      }
      yield JSON.stringify({ type: 'end', reason: 'complete', after: length });
    }

    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await lines.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`${value}\n`));
      },
      async cancel() {
        await lines.return();
      },
    });
  },
});

const EVENTS = '{"events":[';

/** Wraps a response as a frame without parsing it; the run's Web Worker does that. */
function eventsLine(text: string): string {
  if (text.startsWith(EVENTS)) return `{"type":"events",${text.slice(1)}`;
  throw unexpectedAnswer();
}
