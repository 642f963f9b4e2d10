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

/** Connects when it is first used, as Temporal's environment variables and profile say: a start needs no Temporal. */
export function connectTemporal(): { connection: Connection; namespace: string; address: string } {
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
