import {
  describeEnvironment,
  loadConfigOrExit,
  loadTemporalConfig,
  workerEnvironment,
} from '@temporal-kms/config';
import type { ResolvedRule } from '@temporal-kms/kms-codec';
import { Connection } from '@temporalio/client';
import { Command, InvalidArgumentError, Option } from 'commander';
import { version } from '../version.ts';
import { catalogue, isSampleName } from './catalogue.ts';
import { createSampleClients, sampleFormats, type SampleClients, type SampleFormat } from './clients.ts';
import { sampleData, samplesReadWith } from './sample-data.ts';
import { SCHEDULE_ID, seedSchedule } from './sample-schedule.ts';
import { seed } from './seed.ts';

export interface StarterDeps {
  readonly print: (line: string) => unknown;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface StartOptions {
  readonly id?: string;
  readonly input?: Record<string, unknown>;
  readonly format: SampleFormat;
  readonly wait?: true;
}

export function createStarterProgram(deps: StarterDeps): Command {
  const { print } = deps;
  const program = new Command('start')
    .version(version)
    .description('Starts sample workflows whose payloads are encrypted under Cloud KMS')
    .addHelpText('after', `\nEnvironment:\n${describeEnvironment(workerEnvironment)}`);

  program
    .command('start')
    .description('start one sample')
    .argument('<sample>', `one of ${Object.keys(catalogue).join(', ')}`)
    .option('--id <workflow id>', 'default: the sample name and the time')
    .option('--input <JSON>', 'fields that replace fields of the default input', jsonObject)
    .addOption(
      new Option('--format <format>', "format of the starter's payloads; plain does not encrypt")
        .choices(sampleFormats)
        .default('envelope-v2'),
    )
    .option('--wait', 'wait for the result and print it')
    .action((name: string, options: StartOptions) => startOne(name, options, deps));
  program
    .command('list')
    .description('list the samples and their default inputs')
    .action(() => {
      for (const [name, { description, input }] of Object.entries(catalogue)) {
        print(`${name}\n    ${description}\n    ${JSON.stringify(input)}`);
      }
    });
  program
    .command('samples')
    .description('start all sample data; existing workflows are unchanged')
    .action(() => startAll(deps));
  return program;
}

async function startOne(name: string, options: StartOptions, deps: StarterDeps): Promise<void> {
  if (!isSampleName(name))
    throw new InvalidArgumentError(`There is no sample ${name}. Run \`list\` for all names.`);
  const { print } = deps;
  await withClients(deps, async (clients, taskQueue) => {
    const workflowId = options.id ?? `${name}-${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}`;
    const { input, format } = options;
    await catalogue[name].start(clients.get(format), { workflowId, taskQueue, input });
    print(`${workflowId}: started`);
    if (!options.wait) return;
    // The worker encrypts the result in its own format, whatever the format of the input.
    const result: unknown = await clients.get('envelope-v2').workflow.getHandle(workflowId).result();
    print(`${workflowId}: ${JSON.stringify(result)}`);
  });
}

async function startAll(deps: StarterDeps): Promise<void> {
  const { print } = deps;
  await withClients(deps, async (clients, taskQueue, reads) => {
    const runs = samplesReadWith(reads);
    print(`Starting ${runs.length} samples. A worker must poll the task queue ${taskQueue}.`);
    for (const { workflowId, format } of sampleData.filter((run) => !runs.includes(run)))
      print(
        `${workflowId}: skipped, because the keys file does not allow reading the format ${format} (see KMS_UNSAFE)`,
      );
    const { started, kept, failed } = await seed({ clients, taskQueue, runs, print });
    const isNew = await seedSchedule(clients.get('envelope-v2'), taskQueue);
    print(`${SCHEDULE_ID}: ${isNew ? 'created' : 'already exists'} (a schedule)`);
    print(`${started} started, ${kept} already exist, ${failed} failed`);
    if (failed > 0) process.exitCode = 1;
  });
}

async function withClients(
  { env }: StarterDeps,
  use: (clients: SampleClients, taskQueue: string, reads: ResolvedRule['reads']) => Promise<void>,
): Promise<void> {
  const { kms, taskQueue } = loadConfigOrExit(workerEnvironment, env);
  const { connectionOptions, namespace } = loadTemporalConfig(env);
  const connection = await Connection.connect(connectionOptions);
  const clients = createSampleClients({ connection, namespace, kms });
  try {
    await use(clients, taskQueue, kms.rules.resolve(namespace).reads);
  } finally {
    await clients.close();
    await connection.close();
  }
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Invalid JSON leads to the error below.
  }
  throw new InvalidArgumentError(`It must be a JSON object, for example '{"customer":"Ada Lovelace"}'.`);
}
