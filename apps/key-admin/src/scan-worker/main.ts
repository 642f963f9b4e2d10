#!/usr/bin/env -S node --disable-sigusr1 --
import { messageOf } from '@temporal-kms/node-utils/error-details';
import {
  catchFatalErrors,
  createSafeLogger,
  safeRuntimeOptions,
  writeLine,
} from '@temporal-kms/worker-kit/logging';
import { Connection } from '@temporalio/client';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { Command } from 'commander';
import { CliError, exitCodes } from '../cli/cli-error.ts';
import { withEnvFile } from '../cli/environment.ts';
import { typeLines } from '../cli/output.ts';
import { printer } from '../cli/terminal.ts';
import { grpcCode, NOT_FOUND } from '../google/errors.ts';
import { DEFAULT_TASK_QUEUE } from '../scan/on-temporal/contract.ts';
import { defaultStateFolder, STATE_DEFAULT } from '../scan/state.ts';
import { EXTERNAL_STORAGE, withStorage } from '../storage/open-storage.ts';
import { temporalConfig } from '../temporal/connect.ts';
import { version } from '../version.ts';
import { checkStateFolder } from './states.ts';
import { createScanWorker } from './worker.ts';

interface Options {
  readonly envFile?: string;
  readonly taskQueue: string;
  /** The state folder; false with `--no-state`. */
  readonly state?: string | false;
  readonly externalStorage?: string;
}

const print = printer((text) => void process.stderr.write(text));
const command = new Command('scan-worker')
  .version(version)
  .description(
    'Worker of temporal-kms scan --on-temporal. Any number of workers can share the work of a scan.',
  )
  .option('--env-file <file>', 'read the TEMPORAL_* variables from a file, as node --env-file does')
  .option(
    '--task-queue <name>',
    'task queue to poll, in the namespace TEMPORAL_NAMESPACE',
    DEFAULT_TASK_QUEUE,
  )
  .option(
    '--state <folder>',
    `folder in which scans keep what they have read from closed runs ${STATE_DEFAULT}`,
  )
  .option('--no-state', 'keep no state: every scan reads all closed runs')
  .option(EXTERNAL_STORAGE, 'read the headers of payloads in the external storage that this file names')
  .configureOutput({ outputError: (text) => print([text.trimEnd()]) })
  // Without this override, Commander would exit with code 1 after a usage error.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : exitCodes.usage))
  .parse();

try {
  await run(command.opts<Options>());
} catch (error) {
  const { exit, lines, fix } =
    error instanceof CliError ? error : { exit: 'internal' as const, lines: [messageOf(error)], fix: [] };
  print([`error: ${lines[0] ?? ''}`, ...lines.slice(1), ...typeLines(fix)]);
  // Exits explicitly, because connections and threads of Temporal's SDK would keep the process running.
  process.exit(exitCodes[exit]);
}

async function run({ envFile, taskQueue, state, externalStorage }: Options): Promise<void> {
  const values = withEnvFile(process.env, envFile);
  const stateFolder = state === false ? undefined : (state ?? defaultStateFolder(values));
  // Checks the folder before the worker polls, because every task of a worker without a usable folder would become a gap.
  if (stateFolder !== undefined) await checkStateFolder(stateFolder);
  const { connectionOptions, namespace: home } = temporalConfig(values);
  const logger = createSafeLogger({ level: 'INFO' });
  catchFatalErrors(logger);
  Runtime.install(safeRuntimeOptions({ logger }));
  const connect = { ...connectionOptions, connectTimeout: '10s' as const };
  const [worker, reader] = await Promise.all([
    NativeConnection.connect(connectionOptions),
    Connection.connect(connect),
  ]).catch((error: unknown) => {
    const reason = messageOf(error);
    throw new CliError('unavailable', `Temporal does not answer, or refuses these credentials: ${reason}`);
  });
  await requireNamespace(reader, home);
  await withStorage(externalStorage, async (storage) => {
    const polling = await createScanWorker({ worker, reader, home, taskQueue, stateFolder, storage });
    const fields = { version, taskQueue, namespace: home };
    writeLine({ level: 'INFO', message: 'The scan worker polls the task queue', fields });
    await polling.run();
  });
  await Promise.all([worker.close(), reader.close()]);
}

/** @throws CliError if Temporal does not have the namespace. The SDK's own error would contain raw bytes. */
async function requireNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + 10_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } catch (error) {
    // The worker itself reports all other errors.
    if (grpcCode(error) === NOT_FOUND)
      throw new CliError('notFound', `Temporal has no namespace ${namespace}`, [
        'export TEMPORAL_NAMESPACE=…',
      ]);
  }
}
