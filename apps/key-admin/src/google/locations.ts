import { protos } from '@google-cloud/kms';
import { CliError } from '../cli/cli-error.ts';
import type { GoogleClients } from './client.ts';
import { gcloud } from './gcloud.ts';

const { LocationMetadata } = protos.google.cloud.kms.v1;

/**
 * Checks that Cloud KMS has a location and, if `needsHsm` is true, an HSM there.
 *
 * @throws CliError if the location or its HSM is missing
 */
export async function requireLocation(
  { kms, read }: GoogleClients,
  project: string,
  location: string,
  needsHsm: boolean,
): Promise<void> {
  const list = gcloud('kms locations list', `--project=${project}`);
  const found = await optional(
    read(
      { resource: `projects/${project}`, role: 'roles/cloudkms.viewer' },
      async (options): Promise<unknown> =>
        kms.getLocation({ name: `projects/${project}/locations/${location}` }, options),
    ),
  );
  if (found === undefined) throw new CliError('notFound', `Cloud KMS has no location ${location}`, [list]);
  // The method resolves with an array, like the client's other methods, although its type says otherwise.
  const metadata: unknown = Reflect.get(Object(Array.isArray(found) ? found[0] : found), 'metadata');
  const value: unknown = Reflect.get(Object(metadata), 'value');
  const hasHsm = value instanceof Uint8Array && LocationMetadata.decode(value).hsmAvailable;
  if (needsHsm && !hasHsm) throw new CliError('usage', `Cloud KMS has no HSM in ${location}`, [list]);
}

/** Returns a call's result, or undefined if the resource does not exist. @throws every other error of the call */
export async function optional<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof CliError && error.exit === 'notFound') return undefined;
    throw error;
  }
}
