import { findGo } from '@temporal-kms/scripts/go';
import { issueCertificate, makeCertificate } from '@temporal-kms/scripts/certificates';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { afterwards, KEY, start } from './support/running.ts';

const BUILD_MS = 900_000;
const HOST = 'cloudkms.googleapis.com';

/** Starts a proxy for TLS (CONNECT) that connects every client to one port, whatever host the client names. */
async function startProxy(target: number): Promise<{ url: string; hosts: Set<string | undefined> }> {
  const hosts = new Set<string | undefined>();
  const proxy = createServer();
  proxy.on('connect', ({ url }, client) => {
    hosts.add(url);
    const upstream = connect(target, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  afterwards(async () => {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });
  const address = proxy.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, hosts };
}

/** The file of a service account whose key is thrown away: its tokens are signed locally, and the emulator ignores them. */
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
  "encrypts for Google's client, Tink, Go CDK, sops and HashiCorp's wrapper in Go",
  { timeout: BUILD_MS },
  async ({ skip }) => {
    const go = await findGo('the test with clients in Go is skipped');
    if (go === undefined) return skip('Go was not found');
    const folder = await mkdtemp(join(tmpdir(), 'kms-clients-'));
    afterwards(() => rm(folder, { recursive: true }));
    const program = join(folder, 'clients');
    await go.build(join(import.meta.dirname, 'clients', 'go'), program);

    const { emulator } = await start({ keys: [KEY] });
    const authority = makeCertificate(folder, 'authority');
    const { certFile, keyFile } = issueCertificate(folder, 'emulator', authority, `DNS:${HOST}`);
    const tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
    const { emulator: withTls } = await start({ keys: [KEY], tls });
    const proxy = await startProxy(withTls.port);
    const credentials = join(folder, 'account.json');
    await writeFile(credentials, serviceAccount());

    const { stdout } = await promisify(execFile)(program, [emulator.address, emulator.url, KEY], {
      env: {
        SOPS_GCP_KMS_CLIENT_TYPE: 'rest',
        SOPS_GCP_KMS_ENDPOINT: emulator.url,
        GOOGLE_OAUTH_ACCESS_TOKEN: 'the emulator ignores it',
        WRAPPER_CREDENTIALS: credentials,
        HTTPS_PROXY: proxy.url,
        SSL_CERT_FILE: authority.certFile,
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
    expect(withTls.calls.count('TestIamPermissions')).toBe(1);
    expect(withTls.calls.count('Decrypt')).toBe(1);
    expect(proxy.hosts).toEqual(new Set([`${HOST}:443`]));
  },
);
