import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import type { ExitName } from './cli/cli-error.ts';
import type { CliDeps, DefineCommand } from './cli/deps.ts';
import { version } from './version.ts';

const help = `
Exit codes: 0 done, 1 a check failed or a key or payload has a problem, 64 wrong usage, 65 wrong input, 66 not found,
69 unavailable, 70 an error of this program, 75 not yet in effect, 77 not permitted, 78 wrong configuration. docs/cli.md
explains them.`;

interface LazyCommand {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<{ readonly define: DefineCommand }>;
}

// Help and completion show only the names and descriptions of commands that are not loaded. Loading a command takes much
// longer than everything else here, because most commands need Google's and Temporal's clients.
const commands: readonly LazyCommand[] = [
  {
    name: 'setup',
    description:
      'create a key ring and key, grant roles, switch on audit logs, and write configuration files',
    load: () => import('./commands/setup.ts'),
  },
  {
    name: 'doctor',
    description:
      "check an application's set-up: variables, credentials, keys, permissions, Temporal, codec server",
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'keys',
    description: 'show the crypto keys: versions, states, ages, next rotation, and which version encrypts',
    load: () => import('./commands/keys.ts'),
  },
  {
    name: 'rotate',
    description: 'create a version of a crypto key, make it primary, and verify it by a round trip',
    load: () => import('./commands/rotate.ts'),
  },
  {
    name: 'scan',
    description: 'read the headers of all stored messages: which histories need which key version',
    load: () => import('./commands/scan.ts'),
  },
  {
    name: 'may-destroy',
    description: 'decide whether a key version may be destroyed: yes or no, with the evidence',
    load: () => import('./commands/may-destroy.ts'),
  },
  {
    name: 'destroy',
    description: 'schedule the destruction of a key version, if may-destroy permits it',
    load: () => import('./commands/destroy.ts'),
  },
  {
    name: 'drain',
    description: 'show when each key version becomes free, and re-encrypt the inputs and memos of schedules',
    load: () => import('./commands/drain.ts'),
  },
  {
    name: 'inspect',
    description:
      'show what payloads and exported histories contain, without decrypting: format, key version, binding',
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'decrypt',
    description:
      "decrypt payloads and exported histories with an application's keys, and record that in an audit",
    load: () => import('./commands/decrypt.ts'),
  },
  {
    name: 'explain',
    description: 'explain why a run failed or what it waits for, the root cause first',
    load: () => import('./commands/explain.ts'),
  },
  {
    name: 'plaintext',
    description:
      'look for personal data in fields that Temporal shows in plaintext: ids, search attributes, headers, failures',
    load: () => import('./commands/plaintext.ts'),
  },
  {
    name: 'storage',
    description:
      'list objects in external storage to which no history refers, and histories whose objects are gone',
    load: () => import('./commands/storage.ts'),
  },
];

/**
 * Creates the command line. Of the commands, loads only those whose names are among the arguments, wherever they are,
 * because `help rotate` and `complete -- rotate` also need the command's options.
 */
export async function createProgram(
  args: readonly string[],
  deps: CliDeps,
  exit: (name: ExitName) => void,
): Promise<Command> {
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
    // The list of commands shows no options or arguments, because only a loaded command has them.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', help);
  await Promise.all(
    commands.map(async ({ name, description, load }) => {
      const command = program.command(name).description(description);
      if (args.includes(name)) (await load()).define(command, deps, exit);
    }),
  );
  tab(program);
  return program;
}

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');
