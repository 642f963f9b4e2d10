import { loadTemporalConfig, type TemporalConfig, type Values } from '@temporal-kms/config';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { Connection } from '@temporalio/client';
import { CliError } from '../cli/cli-error.ts';
import { quote } from '../cli/quote.ts';

/** Reads Temporal's address, credentials and namespace as the applications do. @throws CliError */
export function temporalConfig(values: Values): TemporalConfig {
  try {
    return loadTemporalConfig(values);
  } catch (error) {
    throw new CliError('configuration', messageOf(error).split('\n'));
  }
}

/**
 * Calls `use` with a connection to Temporal and the server's address, and then closes the connection.
 * @throws CliError if Temporal does not answer
 */
export async function withTemporal<T>(
  { connectionOptions }: TemporalConfig,
  use: (connection: Connection, address: string) => Promise<T>,
): Promise<T> {
  const address = connectionOptions.address ?? 'localhost:7233';
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: '10s' });
  } catch (error) {
    const reason = messageOf(error);
    throw new CliError(
      'unavailable',
      `Temporal does not answer at ${address}, or refuses these credentials: ${reason}`,
      ['temporal-kms doctor --app worker', `temporal operator cluster health --address ${quote(address)}`],
      error,
    );
  }
  try {
    return await use(connection, address);
  } finally {
    await connection.close();
  }
}
