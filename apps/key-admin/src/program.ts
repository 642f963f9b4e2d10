import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import type { ExitName } from './cli/cli-error.ts';
import type { AddCommand, CliDeps } from './cli/deps.ts';
import { addDecryptCommand } from './commands/decrypt.ts';
import { addDestroyCommand } from './commands/destroy.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDrainCommand } from './commands/drain.ts';
import { addExplainCommand } from './commands/explain.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addKeysCommand } from './commands/keys.ts';
import { addPlaintextCommand } from './commands/plaintext.ts';
import { addMayDestroyCommand } from './commands/may-destroy.ts';
import { addRotateCommand } from './commands/rotate.ts';
import { addScanCommand } from './commands/scan.ts';
import { addSetupCommand } from './commands/setup.ts';
import { addStorageCommand } from './commands/storage.ts';
import { version } from './version.ts';

const help = `
Exit codes: 0 done, 1 a check failed or a key or payload has a problem, 64 wrong usage, 65 wrong input, 66 not found,
69 unavailable, 70 an error of this program, 75 not yet in effect, 77 not permitted, 78 wrong configuration. docs/cli.md
explains them.`;

const commands: readonly AddCommand[] = [
  addSetupCommand,
  addDoctorCommand,
  addKeysCommand,
  addRotateCommand,
  addScanCommand,
  addMayDestroyCommand,
  addDestroyCommand,
  addDrainCommand,
  addInspectCommand,
  addDecryptCommand,
  addExplainCommand,
  addPlaintextCommand,
  addStorageCommand,
];

/** Creates the command line. */
export function createProgram(deps: CliDeps, exit: (name: ExitName) => void): Command {
  const program = new Command('temporal-kms')
    .version(version)
    .description(
      'For the people who own the keys of temporal-kms: set up, check and rotate crypto keys, find out which key versions are needed, read and explain histories',
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => deps.print(linesOf(text)),
      writeErr: (text) => deps.printError(linesOf(text)),
      // Prints an error as one line, because an argument in the error may contain line breaks.
      outputError: (text) => deps.printError(text.trimEnd().split(/\n(?=\(Did you mean )/)),
    })
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', help);
  for (const add of commands) add(program, deps, exit);
  tab(program);
  return program;
}

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');
