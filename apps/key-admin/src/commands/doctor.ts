import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { CliError } from '../cli/cli-error.ts';
import type { CliDeps, DefineCommand } from '../cli/deps.ts';
import { withEnvFile } from '../cli/environment.ts';
import { addCommonOptions, collect, type CommonOptions } from '../cli/options.ts';
import { columns, createOutput, type Output, typeLines } from '../cli/output.ts';
import type { Finding } from '../cli/finding.ts';
import { runChecks } from '../doctor/run-checks.ts';
import { type AppName, apps } from '../doctor/variables.ts';

const examples = `
Examples:
  $ temporal-kms doctor --app worker --env-file worker.env
  $ temporal-kms doctor --app codec-server --codec-url https://codec.example.com --token-file token.txt
  $ temporal-kms doctor --app codec-server --json | jq '.checks[] | select(.status == "failed")'

Run doctor as the application's user, with the application's variables and credentials: it checks its own permissions.
Exits with 1 if a check fails. With KMS_BRANCH_KEYS, a check writes a value that no process reads.`;

interface DoctorOptions extends CommonOptions {
  readonly app: AppName;
  readonly namespace?: string;
  readonly codecUrl?: string;
  readonly origin?: readonly string[];
  readonly tokenFile?: string;
  readonly justification?: string;
}

/** `doctor`: reads the configuration as an application does, and checks each part of the set-up. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .addOption(
      new Option('--app <name>', 'the application whose configuration to read')
        .choices(apps)
        .makeOptionMandatory(),
    )
    .option(
      '--namespace <name>',
      'namespace to check (default: TEMPORAL_NAMESPACE and those of the keys file)',
    )
    .option(
      '--codec-url <url>',
      "codec endpoint, as in Temporal's Web UI (default: where codec-server listens)",
    )
    .option(
      '--origin <origin>',
      "origin of Temporal's Web UI; may be repeated (default: CODEC_CORS_ORIGINS)",
      collect,
    )
    .option('--token-file <file>', 'file with an access token for the codec server; - reads standard input')
    .option('--justification <text>', 'justification, if the namespace reveals payloads on demand')
    .addHelpText('after', examples);
  addCommonOptions(command).action(async (options: DoctorOptions) => {
    const output = createOutput(deps, options.json === true);
    const checks = await doctor(options, deps, output);
    const failed = checks.filter(({ status }) => status === 'failed').length;
    output.result({ app: options.app, ok: failed === 0, checks }, () => ['', summary(checks)]);
    if (failed > 0) exit('failed');
  });
};

async function doctor(options: DoctorOptions, deps: CliDeps, output: Output): Promise<readonly Finding[]> {
  const values = withEnvFile(deps.env, options.envFile);
  const token = options.tokenFile === undefined ? undefined : readToken(options.tokenFile);
  const checks: Finding[] = [];
  for await (const finding of runChecks({ options, values, token, now: deps.now, output })) {
    checks.push(finding);
    for (const line of linesOf(finding)) output.line(line);
  }
  return checks;
}

const marks = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', skipped: 'skipped' } as const;

function linesOf({ check, status, text, fix, milliseconds }: Finding): string[] {
  const took = milliseconds === undefined ? '' : ` (${milliseconds} ms)`;
  const [line = ''] = columns([[marks[status].padEnd(7), check.padEnd(16), `${text}${took}`]]);
  return [line, ...typeLines(fix, ' '.repeat(27))];
}

function summary(checks: readonly Finding[]): string {
  const count = (status: Finding['status']) => checks.filter((one) => one.status === status).length;
  return `${count('ok')} ok, ${count('warning')} with a warning, ${count('failed')} failed, ${count('skipped')} skipped`;
}

/**
 * Reads a token from a file. A token must not be on the command line, which other users of the machine can
 * read.
 */
function readToken(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch {
    throw new CliError('configuration', `The --token-file ${file} cannot be read`);
  }
}
