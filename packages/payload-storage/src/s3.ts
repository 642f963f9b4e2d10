import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { GetObjectCommand, ListObjectsV2Command, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { codeOf, propertyOf } from '@temporal-kms/node-utils/error-details';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { Store } from './configuration.ts';
import {
  type ListedName,
  type ObjectReader,
  type OpenObject,
  type PageRunner,
  ReaderError,
  type ReadOptions,
} from './reader.ts';
import { limited, MAX_PAGE_BYTES, refused } from './response.ts';

/** Limit on an error. */
const MAX_ERROR_BYTES = 16 * 1024;

/**
 * Reads objects of an S3 bucket. Takes credentials from the process's environment, but neither an endpoint
 * nor a proxy, and follows no redirect.
 */
export class S3Reader implements ObjectReader {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor({ bucket, region = '', endpoint }: Pick<Store, 'bucket' | 'region' | 'endpoint'>) {
    this.#bucket = bucket;
    this.#client = new S3Client({
      region,
      // Only the configuration may name a server: not AWS_ENDPOINT_URL, and not the shared configuration file.
      ignoreConfiguredEndpointUrls: true,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      followRegionRedirects: false,
      // Compares no checksum of S3's, because the caller compares the SHA-256.
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 3,
      requestHandler: { connectionTimeout: 5_000 },
    });
    // The client collects the whole response unless it is an object.
    this.#client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const result = await next(args);
          const { response } = result;
          const body = propertyOf(response, 'body');
          const isError = Number(propertyOf(response, 'statusCode')) >= 300;
          if (
            (isError || commandName !== 'GetObjectCommand') &&
            isRecord(response) &&
            body instanceof Readable
          )
            response['body'] = await checkedXml(body, isError ? MAX_ERROR_BYTES : MAX_PAGE_BYTES);
          return result;
        },
      { step: 'deserialize', priority: 'low', name: 'limitResponse' },
    );
  }

  async open(object: string, { bytes, signal }: ReadOptions): Promise<OpenObject> {
    try {
      const { Body: body, ContentLength: size } = await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#bucket,
          Key: object,
          ...(bytes !== undefined && { Range: `bytes=0-${bytes - 1}` }),
        }),
        { abortSignal: signal },
      );
      if (!(body instanceof Readable)) throw new ReaderError('unavailable', 'the response has no content');
      return { size, content: addAbortSignal(signal, body) };
    } catch (error) {
      signal.throwIfAborted();
      // A range of an empty object.
      if (statusOf(error) === 416) return { size: 0, content: Readable.from([]) };
      throw explained(error);
    }
  }

  async *list(prefix: string, runPage: PageRunner): AsyncGenerator<ListedName, void> {
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      });
      const page = await runPage((abortSignal) => this.#client.send(command, { abortSignal })).catch(
        (error: unknown) => {
          throw explained(error);
        },
      );
      for (const { Key: object, Size: sizeBytes = 0, LastModified: modified } of page.Contents ?? [])
        if (object?.startsWith(prefix) && modified) yield { object, sizeBytes, modified };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  close(): void {
    this.#client.destroy();
  }
}

/**
 * Returns the XML if it has no document type, as S3's has none: for each, the client's parser copies the whole text,
 * and would take minutes for a page of them.
 */
async function checkedXml(body: Readable, max: number): Promise<Readable> {
  const bytes = await buffer(limited(body, max));
  if (/<!doctype/i.test(bytes.toString('latin1')))
    throw new ReaderError('unavailable', 'the response is not the XML that S3 documents');
  return Readable.from([bytes]);
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

function explained(error: unknown): ReaderError {
  if (error instanceof ReaderError) return error;
  const name = error instanceof Error ? error.name : undefined;
  if (name === 'NoSuchBucket')
    return new ReaderError('unavailable', 'the bucket does not exist', { cause: error });
  if (name === 'CredentialsProviderError')
    return new ReaderError(
      'unavailable',
      'this process has no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role',
      { cause: error },
    );
  return refused(statusOf(error), 's3:GetObject and s3:ListBucket', codeOf(error), error);
}
