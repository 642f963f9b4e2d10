import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../../..');
const pythonProject = join(root, 'interop/python');

/**
 * Returns the path of Python in a virtual environment in `.dev/`, which contains the pinned packages of
 * interop/python. The first call creates the environment.
 *
 * @throws Error whose message explains what to install
 */
export const findPython = (): Promise<string> => findEnvironment('interop-python');

/**
 * Like `findPython`, but the environment contains temporal-kms with the oldest dependencies that it allows.
 */
export const findOldestPython = (): Promise<string> => findEnvironment('interop-python-oldest', '--oldest');

async function findEnvironment(name: string, ...options: string[]): Promise<string> {
  const script = join(pythonProject, 'ensure_venv.py');
  const making = spawn('python3', [script, join(root, '.dev', name), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = [collect(making.stdout), collect(making.stderr, process.stderr)];
  const ended = once(making, 'close').catch((error: unknown) => [String(error)]);
  const [status] = await ended;
  const path = stdout.text().trim();
  if (status === 0 && path !== '') return path;
  throw new Error(
    [
      'The interoperability tests need Python: install Python 3.10 or later with venv and pip (Debian: python3-venv) so',
      'that `python3` is on the PATH, and make PyPI reachable (PIP_INDEX_URL names a mirror).',
      `What went wrong: ${stderr.text().trim() || String(status)}`,
    ].join('\n'),
  );
}

function collect(stream: NodeJS.ReadableStream, copy?: NodeJS.WritableStream): { text(): string } {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    copy?.write(chunk);
  });
  return { text: () => text };
}

// The Python tests start the emulator with this Node executable.
const environment = () => ({
  ...process.env,
  PYTHONPATH: join(pythonProject, 'src'),
  PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
});

/**
 * Runs the tests of the Python implementation and returns how many tests passed.
 * @throws Error with the output if a test fails
 */
export async function passedTests(python: string): Promise<number> {
  const report = await runScript(python, ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--color=no']);
  return Number(/(\d+) passed/.exec(report)?.[1]);
}

/** Runs a Python script and returns its output. @throws Error with the output if the script fails */
export async function runScript(python: string, args: readonly string[]): Promise<string> {
  const options = { cwd: pythonProject, env: environment(), maxBuffer: 2 ** 28 };
  try {
    const { stdout } = await promisify(execFile)(python, args, options);
    return stdout;
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`python ${args.join(' ')} failed:\n${output.slice(-50_000)}`, { cause: error });
  }
}

/** A Python process that responds to each line on stdin with a line on stdout, and ends when stdin closes. */
export interface Lines {
  /** Returns the next line. @throws Error with the process's output if the process has ended */
  read(): Promise<string>;
  write(line: string): void;
  close(): Promise<void>;
}

export function startModule(python: string, args: readonly string[]): Lines {
  const child = spawn(python, ['-m', ...args], { cwd: pythonProject, env: environment(), stdio: 'pipe' });
  const stderr = collect(child.stderr);
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // The error is ignored, because read() reports that the process has ended, with its traceback.
  child.stdin.on('error', () => undefined);
  return {
    read: async () => {
      const line = await lines.next();
      if (!line.done) return line.value;
      await closed;
      throw new Error(`${args[0]} has ended: ${stderr.text()}`);
    },
    write: (line) => child.stdin.write(`${line}\n`),
    close: async () => {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await closed;
      clearTimeout(timer);
    },
  };
}
