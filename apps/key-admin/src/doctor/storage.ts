import { createHash } from 'node:crypto';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import {
  ObjectStorage,
  objectUri,
  readStorageFile,
  type StorageConfiguration,
  type StorageReference,
  StorageUnavailable,
  type Store,
} from '@temporal-kms/payload-storage';
import { type Finding, findings } from '../cli/finding.ts';
import { quote } from '../cli/quote.ts';

const { ok, warning, failed, skipped } = findings('external storage');

/** Time limit for one request, in ms. */
const READ_MS = 10_000;

const PROBE_HASH = createHash('sha256').update('temporal-kms doctor').digest('hex');

/**
 * Checks the storage file and each store in it. Requests objects that do not exist, because the codec server may have
 * only the permission to read objects, not to list them.
 */
export async function* checkStorage(file: string | undefined): AsyncGenerator<Finding, void> {
  if (file === undefined) {
    yield skipped('the codec server reads no external storage (CODEC_STORAGE_FILE)');
    return;
  }
  let configuration: StorageConfiguration;
  try {
    configuration = readStorageFile(file, 'CODEC_STORAGE_FILE');
  } catch (error) {
    for (const mistake of messageOf(error).split('\n').slice(1))
      yield failed(`CODEC_STORAGE_FILE ${mistake.trim()}`, `ls -l ${quote(file)}`, `$EDITOR ${quote(file)}`);
    return;
  }
  const storage = new ObjectStorage(configuration, { readMs: READ_MS });
  try {
    for (const [namespace, stores] of configuration.namespaces)
      for (const store of stores) yield await checkStore(storage, namespace, store);
  } finally {
    await storage.close();
  }
}

async function checkStore(storage: ObjectStorage, namespace: string, store: Store): Promise<Finding> {
  const { type, bucket, driverName, prefixes } = store;
  const where = `${objectUri({ type, bucket, object: '' })} of the namespace ${namespace}`;
  const start = performance.now();
  try {
    for (const prefix of prefixes) {
      const object = `${prefix}d/sha256/${PROBE_HASH}`;
      const reference = { driverName, type, bucket, object, sha256: PROBE_HASH };
      // oxlint-disable-next-line no-await-in-loop -- the first error is enough
      await request(storage, namespace, reference);
    }
    return ok(`${where} answers`, performance.now() - start);
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    // A store that does not permit listing objects also returns 403 for an object that does not exist.
    const isForbidden = error instanceof StorageUnavailable && error.isForbidden;
    const report = isForbidden ? warning : failed;
    const why = isForbidden
      ? `${error.message}. Reads may still succeed, if only the permission to list objects is missing`
      : error.message;
    return report(`${where}: ${why}`, ...fixOf(store));
  }
}

async function request(
  storage: ObjectStorage,
  namespace: string,
  reference: StorageReference,
): Promise<void> {
  try {
    await storage.readStart(storage.locate(namespace, reference), 1, {
      signal: new AbortController().signal,
    });
  } catch (error) {
    if (!(error instanceof KmsCodecError) || error.code !== 'storage_not_found') throw error;
  }
}

function fixOf({ type, bucket, prefixes: [prefix = ''], region, endpoint, path }: Store): string[] {
  const uri = quote(objectUri({ type, bucket, object: prefix }));
  switch (type) {
    case 's3':
      return [
        `aws s3 ls ${uri} --region ${region ?? ''}${endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`}`,
      ];
    case 'gcs':
      return [
        `gcloud storage buckets add-iam-policy-binding gs://${bucket} --member=serviceAccount:SERVICE-ACCOUNT --role=roles/storage.objectViewer`,
      ];
    case 'directory':
      return [`ls -l ${quote(path ?? '')}`];
  }
}
