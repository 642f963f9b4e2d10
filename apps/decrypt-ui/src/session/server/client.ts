import { apiError } from '@temporal-kms/codec-api';
import { z } from 'zod/mini';
import { ApiFailure, connectionBroke, isAbort, unexpectedAnswer } from './failure.ts';
import { createLineParser } from './ndjson.ts';
import { withinLimit } from './time-limit.ts';

export interface ApiClientOptions {
  /** The codec server's origin and path prefix, or only the prefix if it shares the page's origin. */
  readonly apiUrl: string;
  /** Sends requests, with the token if the server needs one. */
  readonly fetch?: typeof fetch;
  /**
   * Waits for a newer token, after a stream ended because its token expired. The caller then opens another stream. A
   * client without tokens has no such function.
   *
   * @param opened when the stream was opened, as `performance.now()` returned it
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /**
   * Called when the server refuses a request with 403: the policy may have changed since the page requested the
   * permissions.
   */
  readonly onRefused?: () => void;
  /** Called when the server responds that it cannot reach Temporal. */
  readonly onUnavailable?: () => void;
}

export type ApiClient = ReturnType<typeof createApiClient>;

/**
 * Creates the client of the codec server's history API, which sends requests and validates every response against a
 * schema of the contract. The `api.ts` in each subject's folder declares the routes of that subject.
 *
 * @throws ApiFailure from every method, with the server's code and message, or `unreachable` or `unexpected`
 */
export function createApiClient({
  apiUrl,
  fetch: send = fetch,
  renewed,
  onRefused,
  onUnavailable,
}: ApiClientOptions) {
  const base = `${apiUrl.replace(/\/+$/, '')}/api`;

  /** Sends a POST request with the body, or a GET request without one, and returns the response. */
  async function request(path: string, signal?: AbortSignal, body?: object): Promise<Response> {
    let response: Response;
    try {
      response = await send(`${base}${path}`, {
        cache: 'no-store',
        ...(body && posted(body)),
        ...(signal && { signal }),
      });
    } catch (error) {
      if (isAbort(error) || error instanceof ApiFailure) throw error;
      throw new ApiFailure(
        'unreachable',
        'The codec server cannot be reached. Check that it runs and that it allows this page’s origin.',
        { cause: error },
      );
    }
    if (response.status === 403) onRefused?.();
    if (response.ok) return response;
    const failure = await failureOf(response);
    if (failure.code === 'temporal_unavailable') onUnavailable?.();
    throw failure;
  }

  async function answer<T extends z.core.$ZodType>(
    schema: T,
    path: string,
    signal?: AbortSignal,
    body?: object,
  ): Promise<z.output<T>> {
    const end = new AbortController();
    const response = await request(path, signal ? AbortSignal.any([signal, end.signal]) : end.signal, body);
    const value = await withinLimit('The codec server', undefined, (limit) => {
      limit.addEventListener('abort', () => end.abort(limit.reason), { once: true });
      return readJson(response);
    });
    return validate(schema, value);
  }

  /** Returns a response's body as a stream. */
  async function bytes(
    path: string,
    signal: AbortSignal,
    body?: object,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const response = await request(path, signal, body);
    if (!response.body) throw new ApiFailure('unexpected', 'The codec server sent an empty answer.');
    return response.body;
  }

  async function* stream<T extends z.core.$ZodType>(
    schema: T,
    path: string,
    body: object,
    signal: AbortSignal,
    onBytes?: (count: number) => void,
  ): AsyncGenerator<z.output<T>> {
    const lines = await bytes(path, signal, body);
    try {
      for await (const line of ndjson(lines, onBytes)) yield validate(schema, line);
    } catch (error) {
      throw readingFailure(error);
    }
  }

  return {
    request,
    bytes,
    get: <T extends z.core.$ZodType>(schema: T, path: string, signal?: AbortSignal) =>
      answer(schema, path, signal),
    post: <T extends z.core.$ZodType>(schema: T, path: string, body: object, signal: AbortSignal) =>
      answer(schema, path, signal, body),
    /**
     * Sends a POST request and yields the lines of the response. Calls `onBytes` with the number of bytes received,
     * even before a line is complete.
     */
    stream,
    /** See `ApiClientOptions.renewed`. */
    ...(renewed && { renewed }),
  };
}

const readJson = (response: Response): Promise<unknown> =>
  response.json().catch((error: unknown) => {
    throw readingFailure(error);
  });

const posted = (body: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = apiError.safeParse(await response.json().catch(() => undefined));
  if (body.success) return new ApiFailure(body.data.error.code, body.data.error.message);
  // A proxy may have sent this response, so its body is not shown.
  const code = response.status >= 500 ? 'unreachable' : 'unexpected';
  return new ApiFailure(code, `The codec server answered with status ${response.status}.`);
}

/** Returns why a body could not be read. */
function readingFailure(error: unknown): unknown {
  if (isAbort(error) || error instanceof ApiFailure) return error;
  return error instanceof SyntaxError ? unexpectedAnswer(error) : connectionBroke(error);
}

/** Returns the value parsed by the schema. @throws ApiFailure `unexpected` if the value does not match the schema */
export function validate<T extends z.core.$ZodType>(schema: T, value: unknown): z.output<T> {
  const result = z.safeParse(schema, value);
  if (!result.success) throw unexpectedAnswer(result.error);
  return result.data;
}

/**
 * Yields the lines of a streamed body. Leaving the loop early cancels the body.
 *
 * @throws SyntaxError for a line that is not JSON
 */
async function* ndjson(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onBytes?: (count: number) => void,
): AsyncGenerator {
  const reader = body.getReader();
  const parser = createLineParser();
  let count = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      count += value.length;
      onBytes?.(count);
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
