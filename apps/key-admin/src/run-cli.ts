import { messageOf } from '@temporal-kms/node-utils/error-details';
import { CommanderError } from 'commander';
import { CliError, exitCodes } from './cli/cli-error.ts';
import type { CliDeps, CliProcess } from './cli/deps.ts';
import { jsonLines, typeLines } from './cli/output.ts';
import { depsOf } from './cli/terminal.ts';
import { createProgram } from './program.ts';

/**
 * Runs the command line and returns its exit code. Prints errors, with the commands to type, on standard
 * error. With `--json`, also prints errors as an object on standard output. Standard error always gets the errors,
 * because a job that keeps ids out of its log discards standard output.
 * @param args without the names of Node and the script
 */
export async function runCli(args: readonly string[], process: CliProcess): Promise<number> {
  const deps = depsOf(process);
  let exit: number = exitCodes.ok;
  try {
    const program = await createProgram(args, deps, (name) => {
      exit = exitCodes[name];
    });
    await program.parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    const json = args.includes('--json');
    if (!(error instanceof CommanderError)) return report(error, json, deps);
    if (error.exitCode === 0) return exitCodes.ok;
    // The parser has already printed the message on standard error.
    const { message } = error;
    if (json)
      deps.print(jsonLines({ error: { exit: 'usage', message: message.replace(/^error: /, ''), fix: [] } }));
    return exitCodes.usage;
  }
}

function report(error: unknown, json: boolean, { print, printError }: CliDeps): number {
  const name = error instanceof CliError ? error.exit : 'internal';
  const message = messageOf(error);
  const { fix, lines } = error instanceof CliError ? error : { fix: [], lines: [message] };
  if (json) print(jsonLines({ error: { exit: name, message, fix } }));
  printError([`error: ${lines[0] ?? ''}`, ...lines.slice(1), ...typeLines(fix)]);
  return exitCodes[name];
}
