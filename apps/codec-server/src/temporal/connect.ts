import { accessSync, constants } from 'node:fs';
import {
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { isTooLarge } from './service.ts';

// The SDK's ten attempts would keep a reader waiting for its deadline instead of telling what is wrong.
const retries = defaultGrpcRetryOptions({ maxAttempts: 3 });

/** Tries again where that may help; a message that is too large stays so. */
export const interceptors: NonNullable<ConnectionOptions['interceptors']> = [
  makeGrpcRetryInterceptor({
    ...retries,
    retryableDecider: (attempt, status) => !isTooLarge(status) && retries.retryableDecider(attempt, status),
  }),
];

/**
 * Connects when it is first used, as Temporal's environment variables and profile say: a start needs no Temporal.
 * @throws Error for a profile file that can't be read, or isn't one
 */
export function connectTemporal(): { connection: Connection; namespace: string; address: string } {
  const file = process.env['TEMPORAL_CONFIG_FILE'];
  // The SDK goes on without one that it can't read, and connects somewhere else.
  if (file) accessSync(file, constants.R_OK);
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = Connection.lazy({
    ...connectionOptions,
    interceptors,
  });
  return {
    connection,
    namespace: namespace ?? 'default',
    address: connectionOptions.address ?? 'localhost:7233',
  };
}
