import {
  historyEvent,
  MAX_FILE_BODY,
  type PayloadRef,
  type SearchFrame,
  type WorkflowDescription,
} from '@temporal-kms/codec-api';
import { z } from 'zod/mini';
import type { ApiClient, RunAddress } from '../api/client.ts';
import { ApiFailure } from '../api/failure.ts';
import { createQueryClient } from '../api/queries.ts';
import { describeFile, eventIdsOf } from '../model/file-description.ts';
import type { PlaintextCache } from '../payloads/plaintext-cache.ts';
import type { Reveals } from '../payloads/reveals.ts';
import type { FollowOptions } from './follow.ts';
import type { OpenedFile } from './history-file.ts';
import { fileHistory } from './file-history-source.ts';
import { createRunSession, type RunSession } from './session.ts';

export interface FileSessionOptions {
  readonly api: Pick<ApiClient, 'inspectFile' | 'decodeFile' | 'renewed'>;
  readonly plaintext: PlaintextCache;
  readonly reveals: Reveals;
  readonly openPort: FollowOptions['openPort'];
}

export interface FileSessionSource {
  readonly namespace: string;
  readonly file: OpenedFile;
  /** Differs for each file that was opened. */
  readonly fileId: number;
  /** The run in the file. */
  readonly run: number;
}

/** Bytes of the events in one request to decode, about half of what the server accepts. */
const MAX_EVENTS_BYTES = MAX_FILE_BODY / 2;

const described = z.object({ events: z.array(historyEvent) });

/** The session of a run in a history file: the server describes and decrypts its events, and keeps none of them. */
export function createFileSession(
  { namespace, file, fileId, run }: FileSessionSource,
  { api, plaintext, reveals, openPort }: FileSessionOptions,
): RunSession {
  const { workflowId, runId, length, bytes } = file.runs[run] ?? { length: 0, bytes: 0 };
  const address: RunAddress = {
    namespace,
    workflowId: workflowId ?? file.name,
    runId: runId ?? '',
    file: { id: fileId, name: file.name },
  };
  const workflow = workflowId === undefined ? {} : { workflowId };
  let description: Promise<WorkflowDescription> | undefined;

  async function describe(): Promise<WorkflowDescription> {
    const picked = await file.pick(run, [...new Set([1, length])]);
    const text = await api.inspectFile(namespace, { ...workflow, ...picked }, new AbortController().signal);
    const parsed = described.safeParse(JSON.parse(text));
    const first = parsed.data?.events.at(0);
    const last = parsed.data?.events.at(-1);
    if (first === undefined || last === undefined)
      throw new ApiFailure('unexpected', 'The codec server’s answer does not match this page’s API.');
    return describeFile({
      first,
      last,
      workflowId: address.workflowId,
      runId: address.runId,
      events: length,
      bytes,
    });
  }

  async function* decode(refs: readonly PayloadRef[], signal: AbortSignal, justification?: string) {
    for await (const events of requestsOf(eventIdsOf(refs), (eventIds) => file.pick(run, eventIds))) {
      const wanted = refs.filter((ref) => events.eventIds.has(Number(ref.split(':')[0])));
      const reason = justification === undefined ? {} : { justification };
      yield* api.decodeFile(namespace, { ...workflow, ...events.body, ...reason, refs: wanted }, signal);
    }
  }

  return createRunSession(address, {
    api: {
      describe: () => {
        description ??= describe();
        description.catch(() => (description = undefined));
        return description;
      },
      history: () => Promise.reject(new ApiFailure('not_found', 'The run is that of a file.')),
      decode: (_, refs, signal, justification) => decode(refs, signal, justification),
      search: noSearch,
      ...(api.renewed && { renewed: api.renewed }),
    },
    // A separate cache: the server may have the same run.
    queries: createQueryClient(),
    plaintext,
    reveals,
    openPort,
    source: fileHistory({ api, namespace, workflowId, file, run }),
  });
}

/** The page offers no search in the payloads of a file: the server searches a run in Temporal. */
const noSearch = (): AsyncGenerator<SearchFrame> => {
  throw new ApiFailure('not_implemented', 'The payloads of a file cannot be searched.');
};

type Picked = Awaited<ReturnType<OpenedFile['pick']>>;

/** Yields the events that payloads are in, in requests that the server accepts. */
async function* requestsOf(
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
