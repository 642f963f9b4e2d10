import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runNode } from '@temporal-kms/testing/process';
import { describe, expect, it, vi } from 'vitest';
import { exitCodes } from '../src/cli/cli-error.ts';
import { createProgram } from '../src/program.ts';
import { startCloud, temporalKms, VIEWER } from './support/cli.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const manual = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');

const program = await createProgram(
  [],
  {
    env: {},
    now: () => new Date(),
    stdin: async function* () {},
    print: () => undefined,
    printError: () => undefined,
    writeContent: () => undefined,
    isTerminal: false,
    showsOutput: false,
    ask: () => Promise.resolve(''),
  },
  () => undefined,
);
const commands = program.commands.filter((command) => command.name() !== 'complete');

/** Returns what `complete` prints. The library that implements this command prints with `console.log`. */
async function complete(...args: string[]): Promise<string> {
  const log = vi.spyOn(console, 'log').mockReturnValue();
  try {
    expect((await temporalKms(['complete', ...args])).code).toBe(0);
    return log.mock.calls.flat().join('\n');
  } finally {
    log.mockRestore();
  }
}

describe('temporal-kms', () => {
  it.each(commands.map((command) => [command.name(), command] as const))(
    'describes %s with examples, and has --json',
    async (name, command) => {
      const { code, out } = await temporalKms([name, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(command.description().split(' ')[0]);
      expect(out).toMatch(/Examples:\n {2}\$ temporal-kms /);
      expect(out).toContain('--json');
      expect(out).toMatch(/Needs roles|Exits with 1/);
    },
  );

  it('documents every command and every exit code', () => {
    const headings = [...manual.matchAll(/^## `([a-z-]+)`$/gm)].map(([, name]) => name);
    expect(new Set(headings)).toEqual(new Set(commands.map((command) => command.name())));
    const codes = [...manual.matchAll(/^- (\d+): /gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(exitCodes));
  });

  it('exits with 141, without a message, if the program that reads its output has ended', async () => {
    // Bash starts the command only after the reading program has ended.
    const script = 'exec 3> >(true); wait $!; exec "$@" >&3';
    const ended = await new Promise((resolve) => {
      execFile('bash', ['-c', script, 'bash', process.execPath, main, '--help'], (error, _, stderr) =>
        resolve([error?.code, stderr]),
      );
    });
    expect(ended).toEqual([141, '']);
  });

  it('exits with 64 for an unknown command or option, and suggests a similar name', async () => {
    const command = await temporalKms(['rotat']);
    expect([command.code, command.err]).toEqual([64, expect.stringContaining('Did you mean rotate?')]);
    const option = await temporalKms(['keys', '--jso']);
    expect([option.code, option.err]).toEqual([64, expect.stringContaining('Did you mean --json?')]);
    expect((await temporalKms([])).code).toBe(64);
  });

  it('also prints a usage error as JSON with --json', async () => {
    const { code, err, json } = await temporalKms(['scan', '--rps', 'fast', '--json']);
    expect(err).toContain("argument 'fast'");
    expect([code, json().error]).toEqual([
      64,
      { exit: 'usage', message: expect.stringMatching(/^option '--rps <calls>' argument 'fast'/), fix: [] },
    ]);
  });

  it('is started with options that make Node itself ignore --env-file', async () => {
    const [, options = ''] = /^#!\/usr\/bin\/env -S node (.+)\n/.exec(await readFile(main, 'utf8')) ?? [];
    const { code, stdout } = await runNode(main, {
      nodeOptions: options.split(' '),
      args: ['keys', '--json', '--env-file', 'missing.env'],
    });
    expect([code, JSON.parse(stdout).error.message]).toEqual([78, expect.stringContaining('missing.env')]);
    expect(manual).toContain(`alias temporal-kms='node ${options} /`);
  });

  it.each(['bash', 'zsh', 'fish', 'powershell'])(
    'prints a script that completes commands in %s',
    async (shell) => {
      expect(await complete(shell)).toContain('temporal-kms');
    },
  );

  it('completes commands and options', async () => {
    expect(await complete('--', '')).toMatch(/^rotate\b/m);
    expect(await complete('--', 'doc')).toMatch(/^doctor\b/m);
    expect(await complete('--', 'rotate', '--')).toMatch(/^--no-verify\b/m);
  });

  it.each<[number, ...string[]]>([
    [exitCodes.ok, '--help'],
    [exitCodes.ok, '--version'],
    [exitCodes.ok, 'complete', '--', ''],
    [exitCodes.usage, 'rotat'],
    [exitCodes.internal, 'rotate', '--help'],
  ])('exits with %i for %s if no command can be loaded', async (expected, ...args) => {
    const hook = `import { registerHooks } from 'node:module';
      registerHooks({
        resolve(specifier, context, next) {
          if (/commands|^@google-cloud|^@temporalio/.test(specifier)) throw new Error('cannot be loaded');
          return next(specifier, context);
        },
      });`;
    const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`];
    expect((await runNode(main, { nodeOptions, args })).code).toBe(expected);
  });

  it('prints a completion script without syntax errors for bash', async () => {
    const { stdout } = await runNode(main, { args: ['complete', 'bash'] });
    const error = await new Promise((resolve) => {
      const bash = execFile('bash', ['-n'], (failure, _, stderr) => resolve(failure === null ? '' : stderr));
      bash.stdin?.end(stdout);
    });
    expect(error).toBe('');
  });

  it('runs as a process: sets the exit code, and prints the result on standard output and progress on standard error', async () => {
    const { as, grant } = await startCloud();
    await grant(VIEWER, 'roles/cloudkms.viewer');
    const { code, stdout, stderr } = await runNode(main, { args: ['keys', '--json'], env: as(VIEWER) });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).keys).toHaveLength(1);
    expect(stderr).toMatch(/^Reading projects\//);
  });

  it('refuses to run if a variable makes Google’s client print keys', async () => {
    const { as } = await startCloud();
    const { code, stdout, stderr } = await runNode(main, {
      args: ['keys'],
      env: { ...as(VIEWER), GOOGLE_SDK_NODE_LOGGING: 'all' },
    });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain('GOOGLE_SDK_NODE_LOGGING');
  });
});
