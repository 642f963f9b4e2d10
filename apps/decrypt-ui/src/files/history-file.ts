import { type FileEventsRequest, MAX_FILE_EVENTS } from '@temporal-kms/codec-api';
import {
  type FileWorkflow,
  HistoryFileError,
  type HistoryFileProblem,
  MAX_FILE_BYTES,
  readHistoryFile,
  tooLarge,
} from '@temporal-kms/histories/files';
import type { IndexPort } from '../runs/indexer/history-protocol.ts';
import { messageOf } from '../ui/errors.ts';

/*
 * A worker reads a history file and keeps its text. The page asks the worker for the events of each request: a file
 * can be 256 MiB in size, so the page neither parses nor stores it.
 */

/** A run in a file, with what the list of the file's runs shows. */
export interface FileRun extends Pick<
  FileWorkflow,
  'encoding' | 'workflowId' | 'runId' | 'type' | 'startedAt' | 'length'
> {
  /** Approximate size of the run's events in the file, in bytes. */
  readonly bytes: number;
}

export interface OpenedFile {
  readonly name: string;
  readonly size: number;
  readonly runs: readonly FileRun[];
  /** Returns as many events of a run, starting at `from`, as fit into one request. */
  readonly slice: (run: number, from: number) => Promise<FileSlice>;
  /** Returns individual events of a run. */
  readonly pick: (run: number, eventIds: readonly number[]) => Promise<FileEvents>;
  /** Frees the file's memory. */
  readonly close: () => void;
}

/** Events in the form that the server accepts. */
type FileEvents = Pick<FileEventsRequest, 'encoding' | 'events'>;

interface FileSlice extends FileEvents {
  /** Position of the event after the slice; undefined at the end of the history. */
  readonly next: number | undefined;
}

type Call =
  | { readonly call: 'open'; readonly file: Blob }
  | { readonly call: 'slice'; readonly run: number; readonly from: number }
  | { readonly call: 'pick'; readonly run: number; readonly eventIds: readonly number[] };

export type FileRequest = Call & { readonly id: number };
export type FileReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly problem: HistoryFileProblem | 'unexpected'; readonly message: string };

/** One end of the channel between the page and the worker. */
export type FilePort<Received> = Pick<
  IndexPort<Received>,
  'addEventListener' | 'postMessage' | 'start' | 'close'
>;

/** Approximate bytes of events in one request. The server describes this many bytes within milliseconds. */
const SLICE_BYTES = 512 * 1024;

/** Reads the file that arrives through a channel, and answers requests for its events. Runs in a worker. */
export function serveHistoryFile(port: FilePort<FileRequest>): void {
  let workflows: readonly FileWorkflow[] = [];

  function workflowAt(run: number): FileWorkflow {
    const workflow = workflows[run];
    if (workflow === undefined) throw new RangeError(`The file has no run ${run}.`);
    return workflow;
  }

  async function open(file: Blob): Promise<readonly FileRun[]> {
    if (file.size > MAX_FILE_BYTES) throw tooLarge(file.size);
    ({ workflows } = readHistoryFile(new Uint8Array(await file.arrayBuffer())));
    return workflows.map(({ event, ...run }) => {
      let bytes = 0;
      for (let eventId = 1; eventId <= run.length; eventId += 1) bytes += event(eventId).length;
      return { ...run, bytes };
    });
  }

  function slice(run: number, from: number): FileSlice {
    const { encoding, length, event } = workflowAt(run);
    const events: string[] = [];
    let bytes = 0;
    let next = from;
    for (; next <= length && bytes < SLICE_BYTES && events.length < MAX_FILE_EVENTS; next += 1) {
      const text = event(next);
      // An event that would exceed the limit goes into the next request, unless it is the first of its
      // request.
      if (events.length > 0 && bytes + text.length > SLICE_BYTES) break;
      bytes += text.length;
      events.push(text);
    }
    return { encoding, events, next: next > length ? undefined : next };
  }

  function pick(run: number, eventIds: readonly number[]): FileEvents {
    const { encoding, event } = workflowAt(run);
    return { encoding, events: eventIds.map((eventId) => event(eventId)) };
  }

  function answer(request: Call): unknown {
    if (request.call === 'open') return open(request.file);
    return request.call === 'slice' ? slice(request.run, request.from) : pick(request.run, request.eventIds);
  }

  const reply = (message: FileReply) => port.postMessage(message, []);
  port.addEventListener('message', ({ data: { id, ...request } }) => {
    Promise.resolve()
      .then(() => answer(request))
      .then(
        (result) => reply({ id, result }),
        (error: unknown) =>
          reply({
            id,
            problem: error instanceof HistoryFileError ? error.code : 'unexpected',
            message: messageOf(error),
          }),
      );
  });
  port.start();
}

/**
 * Opens a history file.
 *
 * @param openPort opens a channel to a worker that runs `serveHistoryFile` only for this file; the channel reports
 *   failures of the worker, for example that it ran out of memory
 * @throws HistoryFileError for a file that cannot be read
 */
export async function openHistoryFile(
  file: File,
  openPort: (onFailure: (error: Error) => void) => FilePort<FileReply>,
): Promise<OpenedFile> {
  const port = openPort(({ message }) => {
    for (const [id, answer] of waiting) answer({ id, problem: 'unexpected', message });
  });
  const waiting = new Map<number, (reply: FileReply) => void>();
  let ids = 0;
  port.addEventListener('message', ({ data }) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  });
  port.start();

  async function ask<T>(call: Call): Promise<T> {
    ids += 1;
    const id = ids;
    const reply = await new Promise<FileReply>((resolve) => {
      waiting.set(id, resolve);
      port.postMessage({ ...call, id }, []);
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `serveHistoryFile` returns each call's type
    if ('result' in reply) return reply.result as T;
    throw reply.problem === 'unexpected'
      ? new Error(reply.message)
      : new HistoryFileError(reply.problem, reply.message);
  }

  try {
    const runs = await ask<readonly FileRun[]>({ call: 'open', file });
    return {
      name: file.name,
      size: file.size,
      runs,
      slice: (run, from) => ask<FileSlice>({ call: 'slice', run, from }),
      pick: (run, eventIds) => ask<FileEvents>({ call: 'pick', run, eventIds }),
      close: () => port.close(),
    };
  } catch (error) {
    port.close();
    throw error;
  }
}
