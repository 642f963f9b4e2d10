import { findGo } from '@temporal-kms/scripts/go';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startAsGoogle } from './support/as-google.ts';
import { KEY, start, temporaryFolder } from './support/running.ts';

const BUILD_MS = 900_000;

/**
 * Returns the key file of a service account. The key is a throwaway key, because the emulator ignores the
 * tokens that a client signs with this key.
 */
const serviceAccount = () =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'p',
    private_key_id: 'none',
    private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
    client_email: 'worker@p.iam.gserviceaccount.com',
    token_uri: 'http://127.0.0.1:9/token',
  });

it(
  "the emulator encrypts for Google's client, Tink, Go CDK, sops and HashiCorp's wrapper in Go",
  { timeout: BUILD_MS },
  async ({ skip }) => {
    const go = await findGo('the test with Go clients is skipped');
    if (go === undefined) return skip('Go was not found');
    const folder = await temporaryFolder();
    const program = await go.build(join(import.meta.dirname, 'clients', 'go'));

    const { emulator } = await start({ keys: [KEY] });
    const google = await startAsGoogle(folder);
    const credentials = join(folder, 'account.json');
    await writeFile(credentials, serviceAccount());

    const { stdout } = await promisify(execFile)(program, [emulator.address, emulator.url, KEY], {
      env: {
        SOPS_GCP_KMS_CLIENT_TYPE: 'rest',
        SOPS_GCP_KMS_ENDPOINT: emulator.url,
        GOOGLE_OAUTH_ACCESS_TOKEN: 'the emulator ignores it',
        WRAPPER_CREDENTIALS: credentials,
        HTTPS_PROXY: google.proxy,
        SSL_CERT_FILE: google.authority,
      },
      timeout: 120_000,
    });
    const names = [
      'google-grpc',
      'google-rest',
      'tink-grpc',
      'tink-rest',
      'gocloud',
      'sops-rest',
      'go-kms-wrapping',
    ];
    expect(stdout.trim().split('\n')).toEqual(names.map((name) => `${name} ok`));
    expect(emulator.calls.rows('Decrypt')).toMatchObject([{ status: 'OK', count: 6 }]);
    expect(google.emulator.calls.count('TestIamPermissions')).toBe(1);
    expect(google.emulator.calls.count('Decrypt')).toBe(1);
    expect(google.hosts).toEqual(new Set(['cloudkms.googleapis.com:443']));
  },
);
