import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  type ChainHead,
  type Digests,
  formatHead,
  parseHead,
  readDigestKey,
  type Verified,
  verifyAudit,
} from '@temporal-kms/audit';
import { messageOf } from '../errors.ts';

/** `EX_USAGE` of sysexits.h. */
const EXIT_USAGE = 64;

interface Command {
  readonly about: string;
  readonly usage: string;
  /** @returns the exit status */
  readonly run: (args: string[], output: Output) => Promise<number>;
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const VERIFY_USAGE = `Usage: node main.mjs verify-audit [options] FILE...

Verifies audit files: finds changed, removed, inserted, repeated and moved lines. Name a file together with its
rotated files, in any order.

  --expect-head SEQ:HASH  a line that must exist (from the log, or "head" of GET .../audit); repeatable
  --after SEQ:HASH        the last line of a deliberately removed file; repeatable
  --mixed                 skip other programs' lines, for collected standard output
  --json                  print the result as JSON
  --help                  print this

Exit status: 0 no problem found, 1 a problem found or a file not readable, 64 wrong usage.
`;

const DIGEST_USAGE = `Usage: node main.mjs audit-digest --key-file FILE EXPORT...

Prints the digest of each payload in JSON files, with its JSON Pointer. The files are exports in the form "encoded",
histories as the Temporal CLI prints them, or bodies of /decode. Search for the digests in the audit with grep -F.

  --key-file FILE  the server's key file (AUDIT_DIGEST_KEY_FILE)
  --help           print this

Exit status: 0 digests printed, 1 a file not readable, 64 wrong usage.
`;

const commands: ReadonlyMap<string, Command> = new Map([
  ['verify-audit', { about: 'verify audit files', usage: VERIFY_USAGE, run: runVerify }],
  [
    'audit-digest',
    { about: 'print digests of payloads, to find them in the audit', usage: DIGEST_USAGE, run: runDigest },
  ],
]);

/** The list of commands for `--help`. */
export const commandList = [...commands]
  .map(([name, { about }]) => `  ${name.padEnd(14)}${about}; see ${name} --help`)
  .join('\n');

/** Functions that write to standard output and standard error. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Runs a command. @returns the exit status, or undefined if the arguments name no command */
export async function runCommand(args: readonly string[], output: Output): Promise<number | undefined> {
  const [name = '', ...rest] = args;
  const command = commands.get(name);
  if (command === undefined) return undefined;
  if (rest.includes('--help')) {
    output.out(command.usage);
    return 0;
  }
  try {
    return await command.run(rest, output);
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
    output.err(`${messageOf(error)}\n${isUsage ? command.usage : ''}`);
    return isUsage ? EXIT_USAGE : 1;
  }
}

/**
 * Runs the command that the process's arguments name, and exits. Returns without exiting if the arguments
 * name no command.
 */
export async function exitAfterCommand(): Promise<void> {
  const status = await runCommand(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  });
  if (status === undefined) return;
  // If the output goes to a pipe, waits until all of the output has been written.
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit(status);
}

async function runVerify(args: string[], { out, err }: Output): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      'expect-head': { type: 'string', multiple: true, default: [] },
      after: { type: 'string', multiple: true, default: [] },
      mixed: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (positionals.length === 0) throw new UsageError('No files given; name the files to verify.');
  const verified = await verifyAudit({
    files: positionals,
    mixed: values.mixed,
    expected: headsOf(values['expect-head'], '--expect-head'),
    after: headsOf(values.after, '--after'),
    progress: progressOf(err),
  });
  out(values.json ? `${JSON.stringify(jsonOf(verified), undefined, 2)}\n` : textOf(verified));
  return verified.ok ? 0 : 1;
}

function headsOf(texts: readonly string[], option: string): ChainHead[] {
  return texts.map((text) => {
    const head = parseHead(text);
    if (head === undefined)
      throw new UsageError(`${option} is invalid; give a number, a colon and 64 hexadecimal digits.`);
    return head;
  });
}

const PROGRESS_MS = 5_000;

/** Returns a function that reports progress on long files. */
function progressOf(err: Output['err']): (file: string, bytes: number) => void {
  let reported = performance.now();
  return (file, bytes) => {
    if (performance.now() - reported < PROGRESS_MS) return;
    reported = performance.now();
    err(`${file}: ${Math.round(bytes / 1e6)} MB\n`);
  };
}

const jsonOf = ({ files, ...verified }: Verified): unknown => ({
  ...verified,
  files: files.map(({ file, lines, bytes, after, head, isClosed, problems, problemCount }) => ({
    file,
    lines,
    bytes,
    after: after && formatHead(after),
    head: head && formatHead(head),
    isClosed,
    problems,
    problemCount,
  })),
});

function textOf({ ok, files, problems, notes }: Verified): string {
  const lines: string[] = [];
  for (const { file, lines: count, bytes, head, problems: own, problemCount } of files) {
    lines.push(
      `${file}: ${count} lines, ${bytes} bytes, last line ${head ? formatHead(head) : 'not in a chain'}`,
    );
    for (const { line, problem } of own) lines.push(`${file}:${line}: ${problem}`);
    if (problemCount > own.length) lines.push(`${file}: ${problemCount - own.length} more problems`);
  }
  lines.push(...problems, ...notes.map((note) => `note: ${note}`), ok ? 'ok' : 'NOT ok');
  return `${lines.join('\n')}\n`;
}

async function runDigest(args: string[], { out }: Output): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { 'key-file': { type: 'string' } },
  });
  const { 'key-file': keyFile } = values;
  if (keyFile === undefined) throw new UsageError('No key given; name the file of the key with --key-file.');
  if (positionals.length === 0) throw new UsageError('No files given; name the files with payloads.');
  const digests = readDigestKey(keyFile);
  for (const file of positionals) {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    for (const { pointer, digest } of payloadDigests(digests, value)) out(`${digest} ${file} ${pointer}\n`);
  }
  return 0;
}

interface PayloadDigest {
  /** JSON Pointer (RFC 6901) of the payload. */
  readonly pointer: string;
  readonly digest: string;
}

/** Yields the digests of all payloads (objects with `metadata` and `data`) in a JSON value. */
function* payloadDigests(digests: Digests, value: unknown, pointer = ''): Generator<PayloadDigest> {
  if (typeof value !== 'object' || value === null) return;
  if ('metadata' in value && 'data' in value && typeof value.data === 'string') {
    yield { pointer, digest: digests.of(Buffer.from(value.data, 'base64')) };
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const step = key.replaceAll('~', '~0').replaceAll('/', '~1');
    yield* payloadDigests(digests, inner, `${pointer}/${step}`);
  }
}
