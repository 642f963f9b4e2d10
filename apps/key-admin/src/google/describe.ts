import { CloudKms, type KeyDescription, KmsCodecError } from '@temporal-kms/kms-codec';
import pRetry from 'p-retry';
import { retries } from './client.ts';
import { googleError } from './errors.ts';

/** Returns a crypto key with its versions. @throws CliError that contains the commands to type */
export async function describeKey(service: CloudKms, key: string): Promise<KeyDescription> {
  try {
    return await pRetry(() => service.describe(key), {
      ...retries,
      shouldRetry: ({ error }) => error instanceof KmsCodecError && error.retryable,
    });
  } catch (error) {
    throw googleError(error, { resource: key, role: 'roles/cloudkms.viewer' });
  }
}

/** Calls `use` with a connection to Cloud KMS, and closes the connection. */
export async function withKeyService<T>(
  emulatorHost: string | undefined,
  use: (service: CloudKms) => Promise<T>,
): Promise<T> {
  const service = new CloudKms({ emulatorHost });
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}
