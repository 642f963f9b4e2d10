import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { exposingSettings } from '../src/diagnostics.ts';

const settings = (env: Record<string, string>, execArgv: string[] = []) =>
  exposingSettings({ env, execArgv }).map(({ setting, problem }) => `${setting} ${problem}`);

describe('exposingSettings', () => {
  it.each([
    [{ GOOGLE_SDK_NODE_LOGGING: 'all' }, /^GOOGLE_SDK_NODE_LOGGING must not be set: .*data keys/],
    [{ NODE_DEBUG: 'stream' }, /^NODE_DEBUG must not be set: .*data keys/],
    [{ NODE_DEBUG: '*' }, /^NODE_DEBUG must not be set/],
    [{ NODE_OPTIONS: '--inspect' }, /^NODE_OPTIONS must not have --inspect: /],
    [{ NODE_OPTIONS: '--max-old-space-size=96  --inspect-brk=0.0.0.0:1' }, /have --inspect-brk: /],
    [{ NODE_OPTIONS: '"--inspect_wait"' }, /have --inspect_wait: /],
    [{ NODE_OPTIONS: '--heapsnapshot-signal SIGUSR2' }, /have --heapsnapshot-signal: it writes plaintext/],
    [{ NODE_OPTIONS: '--heapsnapshot_near_heap_limit=1' }, /have --heapsnapshot_near_heap_limit: /],
    [{ NODE_OPTIONS: '--report-on-fatalerror' }, /have --report-on-fatalerror: it writes the environment/],
    [{ NODE_OPTIONS: '--report-on-signal' }, /have --report-on-signal: /],
    [{ NODE_OPTIONS: '--report-uncaught-exception' }, /have --report-uncaught-exception: /],
    [{ NODE_OPTIONS: '--tls-keylog=/tmp/keys' }, /have --tls-keylog: it writes TLS session keys/],
    [{ NODE_OPTIONS: '--trace-tls' }, /have --trace-tls: /],
    [{ NODE_OPTIONS: '--abort-on-uncaught-exception' }, /have --abort-on-uncaught-exception: /],
    [{ NODE_OPTIONS: '--in"spect"=0' }, /have --inspect: /],
    [{ NODE_OPTIONS: '"--heap\\snapshot-signal=SIGUSR2"' }, /have --heapsnapshot-signal: /],
    [{ NODE_OPTIONS: '--experimental-config-file=node.json' }, /have --experimental-config-file: /],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /^NODE_TLS_REJECT_UNAUTHORIZED must not be 0: /],
  ])('rejects %j', (env, problem) => {
    expect(settings(env)).toEqual([expect.stringMatching(problem)]);
  });

  it("rejects the same options on Node's command line", () => {
    expect(settings({}, ['--disable-sigusr1', '--inspect=0', '--tls_keylog=/tmp/keys'])).toEqual([
      expect.stringMatching(/^Node's command line must not have --inspect: /),
      expect.stringMatching(/^Node's command line must not have --tls_keylog: /),
    ]);
  });

  it("rejects V8's snapshots and an options file on Node's command line", () => {
    const execArgv = [
      '--heap_snapshot-on-oom',
      '--heap-snapshot-on-gc=1',
      '--experimental-default-config-file',
    ];
    for (const option of execArgv) {
      const [name] = option.split('=');
      expect(settings({}, [option])).toEqual([expect.stringContaining(`must not have ${name}: `)]);
    }
  });

  it('accepts settings that expose nothing', () => {
    const NODE_OPTIONS = '--max-old-space-size=96 --disable-sigusr1 --import=tracing --report-compact';
    expect(
      settings({ NODE_OPTIONS, NODE_DEBUG: '', NODE_TLS_REJECT_UNAUTHORIZED: '1' }, ['--conditions=inspect']),
    ).toEqual([]);
  });

  it('accepts all these settings, for debugging, with KMS_ALLOW_DIAGNOSTICS=true if the keys come from an emulator', () => {
    const env = { NODE_OPTIONS: '--inspect', KMS_ALLOW_DIAGNOSTICS: 'true' };
    expect(settings(env)).toHaveLength(1);
    expect(settings({ ...env, KMS_EMULATOR_HOST: '127.0.0.1:1' })).toEqual([]);
    expect(settings({ ...env, KMS_EMULATOR_HOST: '127.0.0.1:1', KMS_ALLOW_DIAGNOSTICS: '1' })).toHaveLength(
      1,
    );
  });
});

describe('a process that uses the library', { timeout: 180_000 }, () => {
  let kms: Emulator;
  const children: { kill(signal: NodeJS.Signals): boolean }[] = [];
  beforeAll(async () => {
    kms = await startEmulator({ keys: ['projects/p/locations/global/keyRings/r/cryptoKeys/k'] });
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => kms.close());

  const start = (env: Record<string, string> = {}, execArgv: readonly string[] = []) => {
    const child = spawn(process.execPath, [...execArgv, join(import.meta.dirname, 'support/diagnosed.ts')], {
      env: {
        PATH: process.env['PATH'],
        GCP_PROJECT: 'p',
        GCP_KMS_KEY_RING: 'r',
        GCP_KMS_KEY: 'k',
        KMS_EMULATOR_HOST: kms.address,
        ...env,
      },
    });
    children.push(child);
    const output = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text));
    const ended = once(child, 'close').then(([code]: (number | null)[]) => code);
    return { child, output, ended };
  };

  it.each([
    ['NODE_DEBUG=stream', { NODE_DEBUG: 'stream' }, []],
    ['NODE_OPTIONS=--inspect=0', { NODE_OPTIONS: '--inspect=0' }, []],
    ['node --inspect=0', {}, ['--inspect=0']],
    ['node --report-on-signal', {}, ['--report-on-signal']],
  ])('exits at startup if it was started with %s', async (_, env, execArgv) => {
    const { output, ended } = start(env, execArgv);
    expect(await ended).toBe(1);
    expect(output.out).toBe('');
    expect(output.err).toMatch(/(NODE_DEBUG|NODE_OPTIONS|Node's command line) must not/);
  });

  it.each([[[]], [['--disable-sigusr1']]])(
    'opens no inspector on SIGUSR1 and continues (%j)',
    async (execArgv) => {
      const { child, output } = start({}, execArgv);
      const encoded = () => expect(output.out).toMatch(/^encoded \d+ bytes\n$/);
      await vi.waitFor(encoded, { timeout: 90_000 });
      child.kill('SIGUSR1');
      if (execArgv.length === 0) {
        const warned = () => expect(output.err).toContain('[TEMPORAL_KMS_INSPECTOR_REFUSED] SecurityWarning');
        await vi.waitFor(warned, { timeout: 30_000 });
      }
      await expect(fetch('http://127.0.0.1:9229/json/version')).rejects.toThrow('fetch failed');
      expect(output.err).not.toMatch(/Debugger listening|Starting inspector/);
      expect(child.exitCode).toBeNull();
      expect(child.signalCode).toBeNull();
    },
  );
});
