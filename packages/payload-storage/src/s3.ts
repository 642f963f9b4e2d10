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
import { limited, MAX_PAGE_BYTES, objectSize, pagesOf, refused } from './response.ts';

/** Maximum size of an error response. */
const MAX_ERROR_BYTES = 16 * 1024;

/**
 * Reads objects of an S3 bucket. Takes credentials from the environment of the process, but does not use an
 * endpoint or a proxy that the environment names. Does not follow redirects.
 */
export class S3Reader implements ObjectReader {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor({ bucket, region = '', endpoint }: Pick<Store, 'bucket' | 'region' | 'endpoint'>) {
    this.#bucket = bucket;
    this.#client = new S3Client({
      region,
      // Only the configuration may name a server, so AWS_ENDPOINT_URL and the shared configuration file are
      // ignored.
      ignoreConfiguredEndpointUrls: true,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      followRegionRedirects: false,
      // Does not verify the checksums of S3, because the caller compares the SHA-256.
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 3,
      requestHandler: { connectionTimeout: 5_000 },
    });
    // The client holds each response in memory as a whole, except responses that contain an object.
    this.#client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const result = await next(args);
          const { response } = result;
          const body = propertyOf(response, 'body');
          const status = Number(propertyOf(response, 'statusCode'));
          if (
            (isError(status) || commandName !== 'GetObjectCommand') &&
            isRecord(response) &&
            body instanceof Readable
          )
            response['body'] = await checkedXml(body, status);
          return result;
        },
      { step: 'deserialize', priority: 'low', name: 'limitResponse' },
    );
  }

  async open(object: string, { bytes, signal }: ReadOptions): Promise<OpenObject> {
    try {
      const {
        Body: body,
        ContentLength: size,
        ContentRange: range,
        $metadata,
      } = await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#bucket,
          Key: object,
          ...(bytes !== undefined && { Range: `bytes=0-${bytes - 1}` }),
        }),
        { abortSignal: signal },
      );
      if (!(body instanceof Readable)) throw new ReaderError('unavailable', 'the response has no content');
      return {
        size,
        objectSize: objectSize($metadata.httpStatusCode, range, size),
        content: addAbortSignal(signal, body),
      };
    } catch (error) {
      signal.throwIfAborted();
      // The request was for a range of an empty object.
      if (bytes !== undefined && statusOf(error) === 416)
        return { size: 0, objectSize: 0, content: Readable.from([]) };
      throw explained(error);
    }
  }

  async *list(prefix: string, runPage: PageRunner): AsyncGenerator<ListedName, void> {
    const request = async (ContinuationToken: string | undefined) => {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken });
      return await runPage((abortSignal) => this.#client.send(command, { abortSignal })).catch(
        (error: unknown) => {
          throw explained(error);
        },
      );
    };
    for await (const { Contents = [] } of pagesOf(request, (page) => page.NextContinuationToken))
      for (const { Key: object, Size: sizeBytes = 0, LastModified: modified } of Contents) {
        if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw notXml();
        if (object?.startsWith(prefix) && modified) yield { object, sizeBytes, modified };
      }
  }

  close(): void {
    this.#client.destroy();
  }
}

/**
 * Returns the XML, unless it contains a document type declaration, which S3 never sends. The client's parser
 * copies the whole text for each declaration, so the parser would take minutes for a page full of
 * declarations. The parser would also mistake a page from another server for an empty list.
 */
async function checkedXml(body: Readable, status: number): Promise<Readable> {
  const bytes = await buffer(limited(body, isError(status) ? MAX_ERROR_BYTES : MAX_PAGE_BYTES));
  const text = bytes.toString('latin1');
  if (/<!doctype/i.test(text) || (!isError(status) && !text.includes('<ListBucketResult')))
    throw notXml(status);
  return Readable.from([bytes]);
}

const isError = (status: number): boolean => status >= 300;

const notXml = (status = 200, cause?: unknown): ReaderError =>
  new ReaderError('unavailable', `the response (status ${status}) is not the XML that S3 documents`, {
    cause,
  });

/** Returns the status of the response; undefined if no response arrived. */
function statusOf(error: unknown): number | undefined {
  const status = propertyOf(propertyOf(error, '$metadata'), 'httpStatusCode');
  return typeof status === 'number' ? status : undefined;
}

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
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken)$/.test(name ?? ''))
    return new ReaderError('unavailable', `the store refuses these credentials (${name})`, { cause: error });
  const status = statusOf(error);
  // The client throws another error if it cannot parse the response.
  if (status !== undefined && !(error instanceof S3ServiceException)) return notXml(status, error);
  return refused(status, 's3:GetObject and s3:ListBucket', codeOf(error), error);
}
