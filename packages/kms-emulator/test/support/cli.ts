import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { addCommands } from '../../src/cli/commands.ts';

export const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command in another process, and returns the command's output and exit status. */
export function runProcess(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

/** Runs the command in this process, and returns the command's output and exit status. */
export async function run(...args: string[]): Promise<Ran> {
  const ran = { code: 0, stdout: '', stderr: '' };
  const program = new Command('kms-emulator')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void (ran.stdout += text),
      writeErr: (text) => void (ran.stderr += text),
    });
  try {
    await addCommands(program).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    ran.code = error.exitCode;
  }
  return ran;
}
