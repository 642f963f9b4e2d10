import { freePorts } from '@temporal-kms/scripts/ports';
import { startTemporal } from '@temporal-kms/scripts/temporal';

/** Starts Temporal with its data in a file, so that a restart continues with the same data. */
export async function startDurableTemporal(dbFile: string) {
  const [port = 0] = await freePorts(1);
  const start = () => startTemporal({ dbFile, port });
  let server = await start();
  return {
    address: server.address,
    start: async (): Promise<void> => {
      server = await start();
    },
    kill: async (): Promise<void> => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    close: () => server.close(),
  };
}
