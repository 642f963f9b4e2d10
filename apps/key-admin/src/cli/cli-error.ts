/** The command's exit codes, most of them from sysexits.h. docs/cli.md describes them. */
export const exitCodes = {
  ok: 0,
  /** The command ran, and a check failed, a key has a problem, or a key cannot be changed as requested. */
  failed: 1,
  usage: 64,
  /** The input is damaged, or has a format that the command does not read. */
  data: 65,
  notFound: 66,
  unavailable: 69,
  internal: 70,
  /** A change takes longer than the command waited. */
  notYet: 75,
  notPermitted: 77,
  configuration: 78,
} as const;

export type ExitName = keyof typeof exitCodes;

/** Why a command ended early, and what to type next. It contains no plaintext, key bytes or tokens. */
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
