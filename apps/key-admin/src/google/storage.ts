import type { Storage } from '@google-cloud/storage';
import { CliError } from '../cli/cli-error.ts';
import { gcloud, YOU } from './gcloud.ts';
import { signInLines } from './errors.ts';

const URL_OF_OBJECT = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])\/(.+)$/;

/**
 * Streams the content of a Cloud Storage object, `gs://BUCKET/OBJECT`.
 * @throws CliError if the object does not exist or may not be read, or if Cloud Storage does not answer.
 * Reading from the stream throws the same errors
 */
export async function openObject(url: string): Promise<AsyncIterable<Uint8Array>> {
  const [, bucket, name] = URL_OF_OBJECT.exec(url) ?? [];
  if (bucket === undefined || name === undefined)
    throw new CliError('usage', `${url} is not the URL of an object, such as gs://BUCKET/OBJECT`);
  const storage = await connectStorage();
  return read(url, bucket, storage.bucket(bucket).file(name).createReadStream());
}

const URL_OF_FOLDER = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/;

/**
 * Returns the URLs of the objects in a Cloud Storage folder, `gs://BUCKET/FOLDER`, and its subfolders.
 * @throws CliError if the bucket does not exist or may not be listed, or if Cloud Storage does not answer
 */
export async function* listObjects(url: string): AsyncGenerator<string, void> {
  const [, bucket, folder = ''] = URL_OF_FOLDER.exec(url) ?? [];
  if (bucket === undefined)
    throw new CliError('usage', `${url} is not the URL of a folder, such as gs://BUCKET/FOLDER`);
  const storage = await connectStorage();
  const prefix = folder === '' || folder.endsWith('/') ? folder : `${folder}/`;
  try {
    for await (const file of storage.bucket(bucket).getFilesStream({ prefix })) {
      const name: unknown = Reflect.get(file, 'name');
      // An object whose name ends with a slash represents a folder.
      if (typeof name === 'string' && !name.endsWith('/')) yield `gs://${bucket}/${name}`;
    }
  } catch (error) {
    throw storageError(url, bucket, error);
  }
}

/** Loads the client only when it is needed, because loading takes as long as the rest of a command. */
async function connectStorage(): Promise<Storage> {
  const { Storage: Client } = await import('@google-cloud/storage');
  return new Client({ timeout: 60_000, retryOptions: { maxRetries: 3 } });
}

async function* read(
  url: string,
  bucket: string,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* content;
  } catch (error) {
    throw storageError(url, bucket, error);
  }
}

function storageError(url: string, bucket: string, error: unknown): CliError {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  if (code === 404) return new CliError('notFound', `${url} does not exist`, [], error);
  if (code === 401 || code === 403)
    return new CliError(
      'notPermitted',
      `Cloud Storage refuses to read ${url} (status ${code})`,
      [
        gcloud(
          'storage buckets add-iam-policy-binding',
          `gs://${bucket}`,
          `--member=${YOU}`,
          '--role=roles/storage.objectViewer',
        ),
      ],
      error,
    );
  const isCredentials = error instanceof Error && /credentials/i.test(error.message);
  if (isCredentials)
    return new CliError('notPermitted', "Google's credentials are not available", signInLines, error);
  return new CliError('unavailable', `Cloud Storage did not answer for ${url}`, [], error);
}
