import { historyEvent, partsOfRef, type PayloadRef, type WorkflowDescription } from '@temporal-kms/codec-api';
import { z } from 'zod/mini';
import type { PlaintextCache } from '../payloads/reveal/plaintext-cache.ts';
import type { Reveals } from '../payloads/reveal/reveals.ts';
import type { FollowOptions } from '../runs/run/follow-history.ts';
import { createRunSession, type RunSession } from '../runs/run/run-session.ts';
import type { RunAddress } from '../session/server/addresses.ts';
import { ApiFailure, unexpectedAnswer } from '../session/server/failure.ts';
import { createQueryClient } from '../session/server/query-client.ts';
import type { FilesApi } from './api.ts';
import { describeFile, eventIdsOf } from './file-description.ts';
import { fileHistory } from './file-history-source.ts';
import { requestsOf } from './file-requests.ts';
import { fileSearch } from './file-search.ts';
import type { OpenedFile } from './history-file.ts';

export interface FileSessionOptions {
  readonly api: FilesApi;
  readonly plaintext: PlaintextCache;
  readonly reveals: Reveals;
  readonly openPort: FollowOptions['openPort'];
}

export interface FileSessionSource {
  readonly namespace: string;
  readonly file: OpenedFile;
  /** A number that is unique for each opened file. */
  readonly fileId: number;
  /** The run's position in the file. */
  readonly run: number;
}

const described = z.object({ events: z.array(historyEvent) });

/**
 * Creates the session for a history file's run. The server describes and decrypts the run's events, but does
 * not keep the events.
 */
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
    if (first === undefined || last === undefined) throw unexpectedAnswer(parsed.error);
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
      const wanted = refs.filter((ref) => events.eventIds.has(partsOfRef(ref).eventId));
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
      history: () => Promise.reject(new ApiFailure('not_found', 'The run is in a history file.')),
      decode: (_, refs, signal, justification) => decode(refs, signal, justification),
      search: (_, request, signal) => fileSearch({ api, namespace, workflow, file, run }, request, signal),
      ...(api.renewed && { renewed: api.renewed }),
    },
    // Uses a separate cache, because the server may have a run with the same ids.
    queries: createQueryClient(),
    plaintext,
    reveals,
    openPort,
    source: fileHistory({ api, namespace, workflowId, file, run }),
  });
}
