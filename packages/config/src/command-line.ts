import { parseArgs } from 'node:util';
import type { Environment } from './environment.ts';
import { describeEnvironment } from './print.ts';

/** `EX_USAGE` of sysexits.h. */
const exitUsage = 64;

const USAGE = 'Usage: main [--help]';

/**
 * For the head of a `main.ts`: answers `--help` and ends the process. Anything else on the command line is a mistake
 * and ends it with status 64, since all settings are in the environment.
 *
 * @param commands lines about what else the program does, which must have been looked for before
 */
export function answerHelp(about: string, environment: Environment<unknown>, commands?: string): void {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } });
    if (!values.help) return;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exit(exitUsage);
  }
  const others = commands === undefined ? '' : `\n\nCommands:\n${commands}`;
  process.stdout.write(
    `${about}\n\n${USAGE}${others}\n\nEnvironment:\n${describeEnvironment(environment)}\n`,
  );
  process.exit(0);
}
