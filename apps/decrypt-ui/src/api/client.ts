import {
  apiError,
  cryptoHealth,
  decodeFrame,
  type DecodeRequest,
  type DecodeResult,
  type ExportRequest,
  type FileDecodeRequest,
  type FileEventsRequest,
  type FileSearchRequest,
  me,
  namespaceList,
  type PayloadRef,
  runTaskQueues,
  type SearchFrame,
  searchFrame,
  type SearchRequest,
  signIn,
  workflowCount,
  workflowDescription,
  workflowList,
  type WorkflowSearchFrame,
  workflowSearchFrame,
  type WorkflowSearchRequest,
} from '@temporal-kms/codec-api';
import { z } from 'zod/mini';
import { ApiFailure, isAbort } from './failure.ts';
import { createLineParser } from './ndjson.ts';

export interface RunAddress {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
  /** The run is that of a history file, and not of the server. Differs for each file that was opened. */
  readonly file?: { readonly id: number; readonly name: string };
}

export interface ApiClientOptions {
  /** The codec server's origin and path prefix, or only the prefix when it shares the page's origin. */
  readonly apiUrl: string;
  /** Sends the requests; adds the token where the server needs one. */
  readonly fetch?: typeof fetch;
  /**
   * Resolves when there is a token that is newer than a stream, after the stream has ended because the token expired.
   * The reader then opens another stream. Absent: there is no token to renew.
   *
   * @param opened when the stream was opened, in milliseconds of `performance.now()`
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /** Called when the server refuses a request with 403: the policy may have changed since the page asked for it. */
  readonly onRefused?: () => void;
}

export type ApiClient = ReturnType<typeof createApiClient>;

/**
 * The client of the codec server's history API. It validates every answer against the contract.
 *
 * @throws ApiFailure from every method, with the server's code and message, or `unreachable` or `unexpected`
 */
export function createApiClient({ apiUrl, fetch: send = fetch, renewed, onRefused }: ApiClientOptions) {
  const base = `${apiUrl.replace(/\/+$/, '')}/api`;

  async function request(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await send(`${base}${path}`, { cache: 'no-store', ...init });
    } catch (error) {
      if (isAbort(error) || error instanceof ApiFailure) throw error;
      throw new ApiFailure(
        'unreachable',
        'The codec server cannot be reached. Check that it runs and that it allows this page’s origin.',
        { cause: error },
      );
    }
    if (response.status === 403) onRefused?.();
    if (!response.ok) throw await failureOf(response);
    return response;
  }

  async function answer<T extends z.core.$ZodType>(
    schema: T,
    path: string,
    init: RequestInit,
  ): Promise<z.output<T>> {
    const response = await request(path, init);
    return validate(schema, await response.json().catch((error: unknown) => unexpected(error)));
  }

  const get = <T extends z.core.$ZodType>(schema: T, path: string, signal?: AbortSignal) =>
    answer(schema, path, signal ? { signal } : {});

  async function* stream<T extends z.core.$ZodType>(
    schema: T,
    path: string,
    init: RequestInit,
  ): AsyncGenerator<z.output<T>> {
    const { body } = await request(path, init);
    if (!body) throw new ApiFailure('unexpected', 'The codec server sent an empty answer.');
    try {
      for await (const line of ndjson(body)) yield validate(schema, line);
    } catch (error) {
      if (isAbort(error) || error instanceof ApiFailure) throw error;
      if (error instanceof SyntaxError) unexpected(error);
      throw new ApiFailure('unreachable', 'The connection to the codec server broke.', { cause: error });
    }
  }

  /** The results without the closing frame: the decoder requests again what has no result, for every other reason. */
  async function* results(
    path: string,
    body: DecodeRequest,
    signal: AbortSignal,
  ): AsyncGenerator<DecodeResult> {
    const left = new Set(body.refs);
    const opened = performance.now();
    for await (const frame of stream(decodeFrame, path, posted(body, signal))) {
      if ('ok' in frame) {
        left.delete(frame.ref);
        yield frame;
      } else if (frame.reason === 'signed_out' && renewed && left.size > 0) {
        await renewed(opened, signal);
        yield* results(path, { ...body, refs: [...left] }, signal);
        return;
      }
    }
  }

  return {
    signIn: (signal?: AbortSignal) => get(signIn, '/sign-in', signal),
    me: (signal?: AbortSignal) => get(me, '/me', signal),
    health: (signal?: AbortSignal) => get(cryptoHealth, '/health', signal),
    namespaces: (signal?: AbortSignal) => get(namespaceList, '/namespaces', signal),
    workflows: (
      namespace: string,
      { query, pageSize, pageToken }: { query: string; pageSize: number; pageToken?: string | undefined },
      signal?: AbortSignal,
    ) => {
      const search = new URLSearchParams({ query, pageSize: String(pageSize) });
      if (pageToken !== undefined) search.set('pageToken', pageToken);
      return get(workflowList, `${workflowsPath(namespace)}?${search}`, signal);
    },
    count: (namespace: string, query: string, signal?: AbortSignal) =>
      get(workflowCount, `${workflowsPath(namespace)}:count?${new URLSearchParams({ query })}`, signal),
    describe: (namespace: string, workflowId: string, runId: string | undefined, signal?: AbortSignal) => {
      const search = runId === undefined ? '' : `?${new URLSearchParams({ runId })}`;
      const path = `${workflowsPath(namespace)}/${encodeURIComponent(workflowId)}${search}`;
      return get(workflowDescription, path, signal);
    },
    /** The frames of a history as lines of JSON, which the worker of the run parses and validates. */
    history: async (
      run: RunAddress,
      { after, live, limit }: { after: number; live: boolean; limit?: number },
      signal: AbortSignal,
    ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> => {
      const search = new URLSearchParams({ after: String(after), live: String(live) });
      if (limit !== undefined) search.set('limit', String(limit));
      const { body } = await request(`${runPath(run)}/history?${search}`, { signal });
      if (!body) throw new ApiFailure('unexpected', 'The codec server sent an empty answer.');
      return body;
    },
    /** Searches in decrypted payloads. The text is in the body, so that no address and no log contains it. */
    search: (run: RunAddress, body: SearchRequest, signal: AbortSignal): AsyncGenerator<SearchFrame> =>
      stream(searchFrame, `${runPath(run)}/history:search`, posted(body, signal)),
    /** The same in all runs that match a visibility query. */
    searchWorkflows: (
      namespace: string,
      body: WorkflowSearchRequest,
      signal: AbortSignal,
    ): AsyncGenerator<WorkflowSearchFrame> =>
      stream(workflowSearchFrame, `${workflowsPath(namespace)}:search`, posted(body, signal)),
    /** The workers that poll the task queues on which an open run depends. */
    taskQueues: (run: RunAddress, signal?: AbortSignal) =>
      get(runTaskQueues, `${runPath(run)}/task-queues`, signal),
    /** An event as Temporal stores it, its payloads in base64. It may contain plaintext, where Temporal does. */
    storedEvent: async (run: RunAddress, eventId: number, signal: AbortSignal) => {
      const body = { form: 'encoded', events: { first: eventId, last: eventId } };
      const response = await request(`${runPath(run)}/history:export`, posted(body, signal));
      const document: unknown = await response.json().catch((error: unknown) => {
        if (isAbort(error)) throw error;
        throw new ApiFailure('unreachable', 'The connection to the codec server broke.', { cause: error });
      });
      const { events } = validate(storedEvents, document);
      return events[0] ?? unexpected(undefined);
    },
    /** The file of an export, as it arrives. It may end early: see `createExport`. */
    export: async (
      run: RunAddress,
      body: ExportRequest,
      signal: AbortSignal,
    ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> => {
      const response = await request(`${runPath(run)}/history:export`, posted(body, signal));
      if (!response.body) throw new ApiFailure('unexpected', 'The codec server sent an empty answer.');
      return response.body;
    },
    /** @param justification for the audit; where the namespace reveals on demand, the server requires it */
    decode: (
      run: RunAddress,
      refs: readonly PayloadRef[],
      signal: AbortSignal,
      justification?: string,
    ): AsyncGenerator<DecodeResult> => {
      const body = { refs: [...refs], ...(justification !== undefined && { justification }) };
      return results(`${runPath(run)}/payloads:decode`, body, signal);
    },
    /** Events of a history file as lines of JSON, which the worker of the run validates. */
    inspectFile: async (namespace: string, body: FileEventsRequest, signal: AbortSignal): Promise<string> => {
      const response = await request(`${filesPath(namespace)}:inspect`, posted(body, signal));
      return await response.text();
    },
    /** Decrypts payloads of a history file. */
    decodeFile: (namespace: string, body: FileDecodeRequest, signal: AbortSignal) =>
      results(`${filesPath(namespace)}:decode`, body, signal),
    /** Searches in the decrypted payloads of events of a history file. */
    searchFile: (
      namespace: string,
      body: FileSearchRequest,
      signal: AbortSignal,
    ): AsyncGenerator<SearchFrame> =>
      stream(searchFrame, `${filesPath(namespace)}:search`, posted(body, signal)),
    /**
     * The answer of a route of a namespace: with a body a POST, else a GET. For pages that load their part of the contract
     * when they open.
     */
    ofNamespace: <T extends z.core.$ZodType>(
      schema: T,
      namespace: string,
      resource: string,
      signal: AbortSignal,
      body?: object,
    ) => answer(schema, `${namespacePath(namespace)}/${resource}`, body ? posted(body, signal) : { signal }),
    /** See `ApiClientOptions.renewed`. */
    ...(renewed && { renewed }),
  };
}

/** A history in Temporal's JSON. */
const storedEvents = z.object({ events: z.array(z.record(z.string(), z.unknown())) });

const posted = (body: object, signal: AbortSignal): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
  signal,
});

const namespacePath = (namespace: string) => `/namespaces/${encodeURIComponent(namespace)}`;
const workflowsPath = (namespace: string) => `${namespacePath(namespace)}/workflows`;
const filesPath = (namespace: string) => `${namespacePath(namespace)}/history-files`;

const runPath = ({ namespace, workflowId, runId }: RunAddress) =>
  `${workflowsPath(namespace)}/${encodeURIComponent(workflowId)}/runs/${encodeURIComponent(runId)}`;

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = apiError.safeParse(await response.json().catch(() => undefined));
  if (body.success) return new ApiFailure(body.data.error.code, body.data.error.message);
  // A proxy may have sent this answer, so its body is not shown.
  const code = response.status >= 500 ? 'unreachable' : 'unexpected';
  return new ApiFailure(code, `The codec server answered with status ${response.status}.`);
}

function validate<T extends z.core.$ZodType>(schema: T, value: unknown): z.output<T> {
  const result = z.safeParse(schema, value);
  return result.success ? result.data : unexpected(result.error);
}

function unexpected(cause: unknown): never {
  throw new ApiFailure(
    'unexpected',
    'The codec server’s answer does not match this page’s API. Deploy the same version of both.',
    { cause },
  );
}

/**
 * Yields the lines of a streamed body. Leaving the loop early cancels the body.
 *
 * @throws SyntaxError for a line that is not JSON
 */
async function* ndjson(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator {
  const reader = body.getReader();
  const parser = createLineParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
