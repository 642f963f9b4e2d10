import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { addAbortSignal, Readable } from 'node:stream';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import { GoogleAuth } from 'google-auth-library';
import pRetry from 'p-retry';
import { z } from 'zod';
import type { Store } from './configuration.ts';
import {
  type ListedName,
  type ObjectReader,
  type OpenObject,
  type PageRunner,
  ReaderError,
  type ReadOptions,
} from './reader.ts';
import { limited, MAX_PAGE_BYTES, objectSize, pagesOf, refused } from './response.ts';

/** Maximum number of bytes that are read from an error response. */
const MAX_ERROR_BYTES = 4 * 1024;
const PAGE_OBJECTS = 1000;
const MAX_SOCKETS = 50;

const page = z.object({
  items: z
    .array(
      z.object({ name: z.string(), size: z.coerce.number().int().nonnegative(), updated: z.coerce.date() }),
    )
    .default([]),
  nextPageToken: z.string().optional(),
});

/**
 * Reads objects of a Cloud Storage bucket with the JSON API. Unlike Google's own client, this reader does not
 * follow redirects, does not use a proxy that the environment names, and does not decompress objects.
 */
export class GcsReader implements ObjectReader {
  readonly #bucket: string;
  readonly #endpoint: URL;
  readonly #auth: GoogleAuth | undefined;
  readonly #agent: HttpAgent;

  constructor({ bucket, endpoint }: Pick<Store, 'bucket' | 'endpoint'>) {
    this.#bucket = bucket;
    this.#endpoint = new URL(endpoint ?? 'https://storage.googleapis.com');
    // Like Google's client, sends no credentials to a server other than Google's.
    if (endpoint === undefined)
      this.#auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/devstorage.read_only' });
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
    this.#agent = this.#endpoint.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  async open(object: string, { bytes, signal }: ReadOptions): Promise<OpenObject> {
    const range = bytes === undefined ? undefined : `bytes=0-${bytes - 1}`;
    const response = await this.#get(`/${encodeURIComponent(object)}?alt=media`, signal, range);
    // The request was for a range of an empty object.
    if (response === undefined) return { size: 0, objectSize: 0, content: Readable.from([]) };
    const { 'content-length': length, 'content-range': contentRange } = response.headers;
    const size = length === undefined ? undefined : Number(length);
    return { size, objectSize: objectSize(response.statusCode, contentRange, size), content: response };
  }

  async *list(prefix: string, runPage: PageRunner): AsyncGenerator<ListedName, void> {
    const request = async (pageToken: string | undefined) => {
      const query = new URLSearchParams({
        prefix,
        maxResults: String(PAGE_OBJECTS),
        fields: 'items(name,size,updated),nextPageToken',
        ...(pageToken !== undefined && { pageToken }),
      });
      return await runPage(async (signal) => readPage(await this.#get(`?${query.toString()}`, signal)));
    };
    for await (const { items } of pagesOf(request, ({ nextPageToken }) => nextPageToken))
      for (const { name: object, size: sizeBytes, updated: modified } of items)
        if (object.startsWith(prefix)) yield { object, sizeBytes, modified };
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Returns the response for the URL of an object or of the listing. Returns undefined if the range begins
   * after the end of the object.
   */
  async #get(path: string, signal: AbortSignal, range?: string): Promise<IncomingMessage | undefined> {
    return await pRetry(
      async () => {
        const headers = { ...(await this.#credentials(signal)), ...(range && { range }) };
        const response = await this.#send(path, headers, signal);
        const { statusCode: status = 0 } = response;
        if (status === 200 || status === 206) return response;
        const text = await textOf(response);
        if (status === 416 && range !== undefined) return undefined;
        if (status === 404 && text.includes('bucket does not exist'))
          throw new ReaderError('unavailable', 'the bucket does not exist');
        throw new StatusError(refused(status, 'roles/storage.objectViewer', undefined), status);
      },
      {
        retries: 2,
        minTimeout: 200,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => isTemporary(error),
      },
    ).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error instanceof StatusError ? error.cause : error;
    });
  }

  async #credentials(signal: AbortSignal): Promise<Record<string, string>> {
    if (!this.#auth) return {};
    try {
      return Object.fromEntries(await this.#auth.getRequestHeaders());
    } catch (cause) {
      signal.throwIfAborted();
      throw new ReaderError(
        'unavailable',
        "Google's credentials are not available: set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud",
        { cause },
      );
    }
  }

  #send(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
    const { protocol, hostname, port } = this.#endpoint;
    const send = protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      send(
        {
          hostname: hostname.replace(/^\[|\]$/g, ''),
          port,
          path: `/storage/v1/b/${this.#bucket}/o${path}`,
          // Without this header, Cloud Storage decompresses objects that are stored with gzip.
          headers: { 'accept-encoding': 'gzip', ...headers },
          agent: this.#agent,
          signal,
        },
        (response) => resolve(addAbortSignal(signal, response)),
      )
        .on('error', (cause) =>
          reject(new StatusError(refused(undefined, '', codeOf(cause), cause), NO_RESPONSE)),
        )
        .end();
    });
  }
}

/**
 * The error for a response, with the response's status. The status determines whether the request is
 * repeated.
 */
class StatusError extends Error {
  readonly status: number;

  constructor(cause: ReaderError, status: number) {
    super(cause.message, { cause });
    this.status = status;
  }
}

const NO_RESPONSE = 0;

const isTemporary = (error: Error): boolean =>
  error instanceof StatusError &&
  (error.status === NO_RESPONSE || error.status === 429 || error.status >= 500);

/** Returns the beginning of a response's text, and closes the response. */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      if ((count += chunk.length) >= MAX_ERROR_BYTES) break;
    }
  } catch {
    // The rest of the text is not needed, because the status is enough.
  }
  return Buffer.concat(chunks).toString('latin1');
}

async function readPage(response: IncomingMessage | undefined): Promise<z.infer<typeof page>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(
    response ?? Readable.from([]),
    MAX_PAGE_BYTES,
  ) as AsyncIterable<Uint8Array>)
    chunks.push(chunk);
  try {
    return page.parse(JSON.parse(Buffer.concat(chunks).toString()));
  } catch (cause) {
    throw new ReaderError('unavailable', 'the listing is not the JSON that Cloud Storage documents', {
      cause,
    });
  }
}
