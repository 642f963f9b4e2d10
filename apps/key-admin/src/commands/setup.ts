import { InvalidArgumentError, Option } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { loadKeyConfig, withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, collect, type CommonOptions } from '../cli/options.ts';
import { createOutput, type Output } from '../cli/output.ts';
import { connectGoogle } from '../google/client.ts';
import { gcloud } from '../google/gcloud.ts';
import { type ConfigFile, planFiles, writeConfigFile } from '../setup/files.ts';
import { plan } from '../setup/plan.ts';
import type { Step } from '../setup/step.ts';
import { grantsFor } from '../setup/grants.ts';
import { keyName, type KeySpec } from '../setup/key-spec.ts';

const examples = `
Examples:
  $ temporal-kms setup --project acme --location us-east1 --dry-run \\
      --worker worker@acme.iam.gserviceaccount.com --codec-server codec@acme.iam.gserviceaccount.com
  $ temporal-kms setup --project acme --location europe-west3 --protection-level hsm --yes
  $ temporal-kms setup --project acme --dry-run > setup.sh      # the equivalent gcloud commands

Needs roles/cloudkms.admin in the project; for the audit logs also roles/resourcemanager.projectIamAdmin. Repeating it
changes nothing that exists. A key ring or key cannot be renamed, moved or deleted: choose the names with care.`;

interface SetupOptions extends CommonOptions {
  readonly project?: string;
  readonly location?: string;
  readonly keyRing?: string;
  readonly key?: string;
  readonly rotation?: number;
  readonly protectionLevel?: 'software' | 'hsm';
  readonly worker?: readonly string[];
  readonly starter?: readonly string[];
  readonly codecServer?: readonly string[];
  readonly keyStates: boolean;
  readonly encode?: true;
  readonly auditLogs: boolean;
  readonly namespace?: readonly string[];
  readonly temporalAddress?: string;
  readonly webUi?: readonly string[];
  readonly out: string;
  readonly overwrite?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** `setup`: creates a key ring, a key, bindings, audit logs, and the applications' configuration files. */
export const define: DefineCommand = (command, deps) => {
  command
    .option('--project <id>', 'Google Cloud project (default: GCP_PROJECT)')
    .option('--location <id>', 'location of the key ring (default: GCP_KMS_LOCATION, else global)')
    .option('--key-ring <id>', 'key ring (default: GCP_KMS_KEY_RING, else temporal-keys)')
    .option('--key <id>', 'crypto key (default: GCP_KMS_KEY, else workflow-encryption)')
    .option('--rotation <days>', 'days between rotations (default: 90 for a key without rotation)', days)
    .addOption(
      new Option('--protection-level <level>', 'protection level of the key (default: software)').choices([
        'software',
        'hsm',
      ]),
    )
    .option(
      '--worker <member>',
      'service account of workers, which encrypt and decrypt; may be repeated',
      collect,
    )
    .option('--starter <member>', 'service account of clients that only encrypt; may be repeated', collect)
    .option(
      '--codec-server <member>',
      'service account of the codec server, which decrypts; may be repeated',
      collect,
    )
    .option(
      '--no-key-states',
      'do not let the codec server see the states of key versions (roles/cloudkms.viewer)',
    )
    .option('--encode', 'let the codec server encrypt too, for starts and signals from the Web UI and CLI')
    .option('--no-audit-logs', 'leave the Data Access audit logs of Cloud KMS as they are')
    .option(
      '--namespace <name>',
      "Temporal namespace that uses the key; may be repeated; the first is the application's (default: TEMPORAL_NAMESPACE, else default)",
      collect,
    )
    .option(
      '--temporal-address <host:port>',
      'address of Temporal in the configuration files (default: TEMPORAL_ADDRESS, else localhost:7233)',
    )
    .option(
      '--web-ui <origin>',
      "origin of Temporal's Web UI, for the codec server's file; may be repeated",
      collect,
    )
    .option('--out <folder>', 'folder for the configuration files', '.')
    .option('--overwrite', 'replace configuration files that differ')
    .option('--dry-run', 'change nothing, and print the equivalent gcloud commands')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (options: SetupOptions) => {
    await setup(options, deps, createOutput(deps, options.json === true));
  });
};

async function setup(options: SetupOptions, deps: CliDeps, output: Output): Promise<void> {
  const values = withEnvFile(deps.env, options.envFile);
  const spec = specOf(options, values);
  const { kms } = loadKeyConfig(values, { key: keyName(spec) });
  const google = await connectGoogle(kms.emulatorHost, output);
  try {
    output.progress(`Reading the project ${spec.project}`);
    const steps = await plan(google, spec, deps.now());
    const files = await planFiles(spec, {
      folder: options.out,
      namespaces: namespacesOf(options.namespace, values['TEMPORAL_NAMESPACE']),
      temporalAddress: options.temporalAddress ?? values['TEMPORAL_ADDRESS'] ?? 'localhost:7233',
      origins: options.webUi ?? [],
      emulatorHost: kms.emulatorHost,
    });
    if (options.dryRun) {
      output.result(resultOf(spec, steps, files, undefined), () => script(spec, steps, files));
      return;
    }
    for (const line of shown(steps, files, options)) output.line(line);
    const open = steps.filter(({ status }) => status === 'to do').length + writable(files, options).length;
    if (open > 0) {
      await confirm(open, options, deps);
      await carryOut(steps, writable(files, options), options.out, output);
    }
    output.result(resultOf(spec, steps, files, writable(files, options)), () => [
      '',
      summary(steps, files, options),
    ]);
  } finally {
    await google.close();
  }
}

function namespacesOf(
  wanted: readonly string[] | undefined,
  own: string | undefined,
): readonly [string, ...string[]] {
  const [first = own || 'default', ...others] = new Set(wanted);
  return [first, ...others];
}

/** @throws CliError if no project is named */
function specOf(options: SetupOptions, values: Readonly<Record<string, string | undefined>>): KeySpec {
  const project = options.project ?? values['GCP_PROJECT'];
  if (!project) throw new CliError('usage', 'The Google Cloud project is missing', ['--project PROJECT']);
  const level = options.protectionLevel;
  return {
    project,
    location: options.location ?? (values['GCP_KMS_LOCATION'] || 'global'),
    ring: options.keyRing ?? (values['GCP_KMS_KEY_RING'] || 'temporal-keys'),
    id: options.key ?? (values['GCP_KMS_KEY'] || 'workflow-encryption'),
    protectionLevel: level === undefined ? undefined : level === 'hsm' ? 'HSM' : 'SOFTWARE',
    rotationDays: options.rotation,
    grants: grantsFor({ ...options, encode: options.encode === true }),
    auditLogs: options.auditLogs,
  };
}

const writable = (files: readonly ConfigFile[], { overwrite }: SetupOptions): readonly ConfigFile[] =>
  files.filter(({ status }) => status === 'to do' || (status === 'differs' && overwrite));

/** Returns lines that show all steps, to print before the command executes the first step. */
function shown(steps: readonly Step[], files: readonly ConfigFile[], { overwrite }: SetupOptions): string[] {
  return [
    ...steps.flatMap(({ title, status, note, gcloud: lines }) => [
      `${status.padEnd(12)}  ${title}`,
      ...(note === undefined ? [] : [`${' '.repeat(14)}note: ${note}`]),
      ...(status === 'exists' ? [] : lines.map((line) => `${' '.repeat(14)}${line}`)),
    ]),
    ...files.map(({ path, status }) => {
      const differs = overwrite ? 'to do' : 'kept';
      const text = status === 'differs' && !overwrite ? `${path} differs (--overwrite replaces it)` : path;
      return `${(status === 'differs' ? differs : status).padEnd(12)}  file ${text}`;
    }),
  ];
}

/** @throws CliError if the person does not confirm */
async function confirm(open: number, { yes, json }: SetupOptions, deps: CliDeps): Promise<void> {
  if (yes) return;
  const question = `Execute ${open} step${open === 1 ? '' : 's'}? [y/N] `;
  if (deps.isTerminal && !json && /^y(es)?$/i.test((await deps.ask(question)).trim())) return;
  throw new CliError('usage', 'Nothing was changed, because the steps were not confirmed', [
    'temporal-kms setup … --yes',
  ]);
}

async function carryOut(
  steps: readonly Step[],
  files: readonly ConfigFile[],
  folder: string,
  { progress }: Output,
): Promise<void> {
  for (const { title, status, run } of steps) {
    if (status !== 'to do') continue;
    progress(`Creating: ${title}`);
    // oxlint-disable-next-line no-await-in-loop -- each step needs what earlier steps created
    await run?.();
  }
  for (const file of files) {
    progress(`Writing ${file.path}`);
    // oxlint-disable-next-line no-await-in-loop -- there are only three files
    await writeConfigFile(file, folder);
  }
}

/** @param written the files that the command wrote; undefined in a dry run */
const resultOf = (
  spec: KeySpec,
  steps: readonly Step[],
  files: readonly ConfigFile[],
  written: readonly ConfigFile[] | undefined,
) => ({
  key: keyName(spec),
  dryRun: written === undefined,
  steps: steps.map(({ run: _run, status, ...step }) => ({
    ...step,
    status: written && status === 'to do' ? 'done' : status,
  })),
  files: files.map((file) => ({ path: file.path, status: written?.includes(file) ? 'done' : file.status })),
});

/** Returns the equivalent shell script with `gcloud` commands. */
function script({ project }: KeySpec, steps: readonly Step[], files: readonly ConfigFile[]): string[] {
  return [
    gcloud('services enable', 'cloudkms.googleapis.com', `--project=${project}`),
    ...steps.flatMap(({ title, status, note, gcloud: lines }) => [
      `# ${status === 'exists' ? 'exists: ' : ''}${title}`,
      ...(note === undefined ? [] : [`# note: ${note}`]),
      ...(status === 'exists' ? [] : lines),
    ]),
    ...files.map(({ path, status }) => `# ${status === 'to do' ? 'setup would write' : status} ${path}`),
  ];
}

function summary(steps: readonly Step[], files: readonly ConfigFile[], options: SetupOptions): string {
  const done = steps.filter(({ status }) => status === 'to do').length + writable(files, options).length;
  const impossible = steps.filter(({ status }) => status === 'not possible').length;
  const text = done === 0 ? 'Nothing to do: everything exists.' : `${done} steps done.`;
  const more = impossible === 0 ? '' : ` ${impossible} not possible with your permissions: see the notes.`;
  const worker = files.find(({ path }) => path.endsWith('worker.env'));
  return `${text}${more} Next: temporal-kms doctor --app worker --env-file ${worker?.path ?? 'worker.env'}`;
}

function days(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 36_500) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of days from 1 to 36500, for example 90.');
}
