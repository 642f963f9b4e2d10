/** The command's exit codes, most of them from sysexits.h. docs/cli.md describes each exit code. */
export const exitCodes = {
  ok: 0,
  /** The command ran, but a check failed, a key has a problem, or a key cannot be changed as requested. */
  failed: 1,
  usage: 64,
  /** The input is damaged, or has a format that the command cannot read. */
  data: 65,
  notFound: 66,
  unavailable: 69,
  internal: 70,
  /** A change has not taken effect yet, or a key version is not free yet. */
  notYet: 75,
  notPermitted: 77,
  configuration: 78,
} as const;

export type ExitName = keyof typeof exitCodes;

/**
 * The reason why a command ended early, with the commands to type next. Contains no plaintext, key bytes or
 * tokens.
 */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: Exclude<ExitName, 'ok'>;
  /** The lines of the message. */
  readonly lines: readonly string[];
  /** Commands or settings that solve the problem, one per line. */
  readonly fix: readonly string[];

  constructor(
    exit: Exclude<ExitName, 'ok'>,
    message: string | readonly string[],
    fix: readonly string[] = [],
    cause?: unknown,
  ) {
    const lines = [message].flat();
    super(lines.join('\n'), { cause });
    this.exit = exit;
    this.lines = lines;
    this.fix = fix;
  }
}
