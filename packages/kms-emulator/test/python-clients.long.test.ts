import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pipInstall } from '@temporal-kms/scripts/pip';
import { expect, it } from 'vitest';
import { startAsGoogle } from './support/as-google.ts';
import { KEY, temporaryFolder } from './support/running.ts';

const clients = join(import.meta.dirname, 'clients', 'python');

it(
  'the emulator encrypts for Tink in Python, which uses Google’s address',
  { timeout: 400_000 },
  async () => {
    const folder = await temporaryFolder();
    const packages = join(folder, 'packages');
    await pipInstall(join(clients, 'requirements.txt'), packages);
    const google = await startAsGoogle(folder);

    const { stdout } = await promisify(execFile)('python3', [join(clients, 'tink_client.py'), KEY], {
      env: {
        PATH: process.env['PATH'],
        PYTHONPATH: packages,
        https_proxy: google.proxy,
        GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: google.authority,
      },
      timeout: 120_000,
    });
    expect(stdout.trim().split('\n')).toEqual(['tink ok', 'tink-envelope ok']);
    expect(google.emulator.calls.count('Encrypt')).toBe(2);
    expect(google.hosts).toEqual(new Set(['cloudkms.googleapis.com:443']));
  },
);
