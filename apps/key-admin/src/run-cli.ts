import { messageOf } from '@temporal-kms/kms-codec/error-details';
import { CommanderError } from 'commander';
import { CliError, exitCodes } from './cli/cli-error.ts';
import type { CliDeps } from './cli/deps.ts';
import { typeLines } from './cli/output.ts';
import { createProgram } from './program.ts';

/**
 * Runs the command line and returns its exit code. Errors are printed: with `--json` as an object on standard output, else on
 * standard error, with what to type.
 * @param args without the names of Node and the script
 */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<number> {
  let exit: number = exitCodes.ok;
  const program = createProgram(deps, (name) => {
    exit = exitCodes[name];
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    const json = args.includes('--json');
    if (!(error instanceof CommanderError)) return report(error, json, deps);
    if (error.exitCode === 0) return exitCodes.ok;
    // The parser has printed it on standard error.
    if (json) return report(new CliError('usage', error.message.replace(/^error: /, '')), json, deps);
    return exitCodes.usage;
  }
}

function report(error: unknown, json: boolean, { stdout, stderr }: CliDeps): number {
  const name = error instanceof CliError ? error.exit : 'internal';
  const message = messageOf(error);
  const fix = error instanceof CliError ? error.fix : [];
  if (json) {
    stdout(`${JSON.stringify({ error: { exit: name, message, fix } }, undefined, 2)}\n`);
  } else {
    stderr([`error: ${message}`, ...typeLines(fix), ''].join('\n'));
  }
  return exitCodes[name];
}
