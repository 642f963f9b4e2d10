import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { cli, run, runProcess } from './support/cli.ts';
import { refusalCode } from './support/client.ts';
import { afterwards, clientOf, KEY, start } from './support/running.ts';

const EMAIL = 'worker@p.iam.gserviceaccount.com';
const freePorts = ['--port', '0', '--control-port', '0'];

async function launch(...args: string[]) {
  const child = spawn(process.execPath, [cli, ...freePorts, ...args]);
  afterwards(() => Promise.resolve(child.kill('SIGKILL')));
  const [line] = await event(child.stdout, 'data');
  return { child, line: String(line) };
}

describe('the command line', () => {
  it('prints its options with --help', async () => {
    const { code: exit, stdout } = await run('--help');
    expect(exit).toBe(0);
    for (const option of [
      '--port',
      '--control-port',
      '--data-file',
      '--key',
      '--identity',
      '--grant',
      '--host',
    ]) {
      expect(stdout).toContain(option);
    }
  });

  it('prints one line with its addresses, and serves the configured identities and grants', async () => {
    const grant = `serviceAccount:${EMAIL},roles/cloudkms.cryptoKeyEncrypter,projects/p`;
    const { line } = await launch('--key', KEY, '--identity', `${EMAIL}=0`, '--grant', grant);
    expect(line).toMatch(
      /^KMS emulator ready: gRPC \S+, worker@\S+ on \S+, REST http:\S+, control http:\S+, keys in memory\n$/,
    );
    const owner = /gRPC (\S+),/.exec(line)?.[1] ?? '';
    const worker = clientOf(/ on ([^,\s]+)/.exec(line)?.[1] ?? '');
    const [encrypted] = await worker.encrypt({ name: KEY, plaintext: Buffer.from('x') });
    const ciphertext = encrypted.ciphertext ?? '';
    expect(await refusalCode(worker.decrypt({ name: KEY, ciphertext }))).toBe(code.PERMISSION_DENIED);
    await expect(clientOf(owner).decrypt({ name: KEY, ciphertext })).resolves.toBeDefined();
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('exits on %s', async (signal) => {
    const { child } = await launch();
    child.kill(signal);
    expect(await event(child, 'exit')).toEqual([0, null]);
  });

  it('exits after two signals', async () => {
    const { child } = await launch();
    // Suspends the process while the signals arrive, because the process could otherwise end before the
    // second signal.
    for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) child.kill(signal);
    expect(await event(child, 'exit')).toEqual([0, null]);
  });

  it.each([
    [['--host', '0.0.0.0'], 'listens on loopback only'],
    [['--host', 'localhost'], 'listens on loopback only'],
    [['--key', 'workflow-encryption'], 'projects/*/locations/*/keyRings/*/cryptoKeys/*'],
    [['--port', '70000'], 'A port is a number from 0 to 65535.'],
    [['--identity', 'worker'], 'Write it as worker@demo.iam.gserviceaccount.com=9071.'],
    [['--identity', 'nobody=0'], '"nobody" is not an identity'],
    [['--grant', 'a,b'], 'Write it as'],
    [['--grant', 'user:a@example.com,roles/nothing,projects/p'], 'Role roles/nothing is not supported'],
    [['--tls-cert', 'none.pem'], 'ENOENT'],
    [['--tls-key', cli], 'set both --tls-cert and --tls-key, or neither'],
    [['--tls-key', cli, '--tls-cert', cli], 'kms-emulator: '],
    [['--unknown'], "unknown option '--unknown'"],
  ])('refuses %j, and explains what to write', async (args, message) => {
    const { code: exit, stderr, stdout } = await run(...freePorts, ...args);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('reports the address if its port is in use', async () => {
    const { emulator } = await start();
    const {
      code: exit,
      stdout,
      stderr,
    } = await runProcess('--port', String(emulator.port), '--control-port', '0');
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toContain(`Cannot listen on ${emulator.address}: the port is in use.`);
  });
});
