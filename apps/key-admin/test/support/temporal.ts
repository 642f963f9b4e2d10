import {
  startTemporal,
  type StartTemporalOptions,
  type TemporalServer,
} from '@temporal-kms/scripts/temporal';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll } from 'vitest';

export interface Temporal extends TemporalServer {
  readonly connection: Connection;
}

/**
 * Starts Temporal before the tests of a file, connects to it, and stops it after the tests. The returned
 * object is empty until Temporal has started.
 */
export function useTemporal(options?: StartTemporalOptions): Temporal {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the hook fills it before the first test
  const temporal = {} as Temporal;
  beforeAll(async () => {
    const server = await startTemporal(options);
    Object.assign(temporal, server, { connection: await Connection.connect({ address: server.address }) });
  });
  afterAll(async () => {
    await temporal.connection?.close();
    await temporal.close?.();
  });
  return temporal;
}
