import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { KmsCodecError, type KmsCodec } from '@temporal-kms/kms-codec';
import { errorFields } from '@temporal-kms/kms-codec/worker-logging';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';
import { untilItWorks } from './retry.ts';
import type { WorkerStatus } from './status.ts';

interface WaitDeps {
  readonly signal: AbortSignal;
  readonly status: WorkerStatus;
  readonly log: Log;
}

/**
 * Gets the namespace's first data key before any work is taken, waiting as long as Cloud KMS can't give one: a worker
 * without a data key could encode nothing, and one that ended would have to be started by somebody.
 */
export async function warmCodec(codec: KmsCodec, namespace: string, deps: WaitDeps): Promise<void> {
  const { signal, status, log } = deps;
  await untilItWorks(() => codec.warm(namespace), {
    signal,
    onFailure: (error, retryInMs) => {
      status.phase = 'waiting_for_kms';
      const known = error instanceof KmsCodecError;
      status.trouble = known ? error.code : errorFields(error).error;
      log.warn(
        { ...errorFields(error), ...(known && { code: error.code, key: error.key }), retryInMs },
        known && !error.retryable
          ? 'Cloud KMS refuses a data key; waiting until an administrator has set it right'
          : 'Cloud KMS gives no data key; waiting for it',
      );
    },
  });
  delete status.trouble;
}

/** Connects to Temporal, waiting as long as it doesn't answer. */
export async function connectToTemporal(
  options: NativeConnectionOptions,
  { signal, status, log }: WaitDeps,
): Promise<NativeConnection> {
  const connection = await untilItWorks(() => NativeConnection.connect(options), {
    signal,
    onFailure: (error, retryInMs) => {
      status.phase = 'waiting_for_temporal';
      status.trouble = errorFields(error).error;
      log.warn(
        { ...errorFields(error), reason: messageOf(error), address: options.address, retryInMs },
        'Temporal does not answer; waiting for it',
      );
    },
  });
  delete status.trouble;
  return connection;
}
