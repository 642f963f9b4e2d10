import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { KmsCodecError, type KmsCodec } from '@temporal-kms/kms-codec';
import { errorFields } from '@temporal-kms/kms-codec/worker-logging';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';
import { retryForever } from './retry.ts';
import type { WorkerStatus } from './health.ts';

interface WaitDeps {
  readonly signal: AbortSignal;
  readonly status: WorkerStatus;
  readonly log: Log;
}

/**
 * Gets the namespace's first data key before the worker polls for tasks, because a worker without a data key cannot
 * encode. While Cloud KMS is unavailable it waits instead of ending the process, which nothing might start again.
 */
export async function warmCodec(codec: KmsCodec, namespace: string, deps: WaitDeps): Promise<void> {
  const { signal, status, log } = deps;
  await retryForever(() => codec.warm(namespace), {
    signal,
    onFailure: (error, retryInMs) => {
      status.phase = 'waiting_for_kms';
      const known = error instanceof KmsCodecError;
      status.trouble = known ? error.code : errorFields(error).error;
      log.warn(
        { ...errorFields(error), ...(known && { code: error.code, key: error.key }), retryInMs },
        known && !error.retryable
          ? 'Cloud KMS rejected the call for a data key; retrying until an administrator has corrected its settings'
          : 'Cloud KMS unavailable; waiting for a data key',
      );
    },
  });
  delete status.trouble;
}

/** Connects to Temporal. Waits while Temporal does not answer. */
export async function connectToTemporal(
  options: NativeConnectionOptions,
  { signal, status, log }: WaitDeps,
): Promise<NativeConnection> {
  const connection = await retryForever(() => NativeConnection.connect(options), {
    signal,
    onFailure: (error, retryInMs) => {
      status.phase = 'waiting_for_temporal';
      status.trouble = errorFields(error).error;
      log.warn(
        { ...errorFields(error), reason: messageOf(error), address: options.address, retryInMs },
        'Temporal unavailable; waiting for it',
      );
    },
  });
  delete status.trouble;
  return connection;
}
