import type { KeyManagementServiceClient } from '@google-cloud/kms';
import { credentials } from '@grpc/grpc-js';
import { issueCertificate, makeCertificate } from '@temporal-kms/scripts/certificates';
import { once as event } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { code } from './conformance/fixture.ts';
import { asBuffer, connect, refusal } from './support/client.ts';
import { afterwards, KEY, start, temporaryFolder } from './support/running.ts';

async function startWithTls() {
  const folder = await temporaryFolder();
  const authority = makeCertificate(folder, 'authority');
  const { certFile, keyFile } = issueCertificate(folder, 'emulator', authority);
  const tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
  const { emulator } = await start({ keys: [KEY], tls });
  return { emulator, ca: await readFile(authority.certFile) };
}

function clientOf(port: number, ca: Buffer | null): KeyManagementServiceClient {
  const client = connect(`127.0.0.1:${port}`, credentials.createSsl(ca));
  afterwards(() => client.close());
  return client;
}

const get = (url: string, options: object): Promise<{ status: number | undefined; body: any }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    });
    sent.once('error', reject);
    sent.end();
  });

describe('TLS', () => {
  it('encrypts gRPC and REST on the same port, for clients that trust the authority', async () => {
    const { emulator, ca } = await startWithTls();
    const client = clientOf(emulator.port, ca);
    const [encrypted] = await client.encrypt({ name: KEY, plaintext: Buffer.from('x') });
    const [decrypted] = await client.decrypt({ name: KEY, ciphertext: encrypted.ciphertext ?? '' });
    expect(asBuffer(decrypted.plaintext).toString()).toBe('x');
    expect(emulator.url).toBe(`https://${emulator.address}`);
    expect(await get(`${emulator.url}/v1/${KEY}`, { ca })).toMatchObject({
      status: 200,
      body: { name: KEY },
    });
  });

  it('fails for a client that does not trust the authority, and a client without TLS gets no response', async () => {
    const { emulator } = await startWithTls();
    expect(await refusal(clientOf(emulator.port, null).getCryptoKey({ name: KEY }))).toMatchObject({
      code: code.UNAVAILABLE,
    });
    await expect(get(`${emulator.url}/v1/${KEY}`, {})).rejects.toThrow(/certificate/);
    await expect(fetch(`http://${emulator.address}/v1/${KEY}`)).rejects.toThrow('fetch failed');
  });

  it('closes connections that are idle or have not completed their handshake', async () => {
    const { emulator, ca } = await startWithTls();
    const silent = connectTcp(emulator.port, '127.0.0.1');
    const idle = connectTls({ port: emulator.port, host: '127.0.0.1', ca });
    await Promise.all([event(silent, 'connect'), event(idle, 'secureConnect')]);
    const closed = Promise.all([silent, idle].map((socket) => event(socket.resume(), 'close')));
    const before = performance.now();
    await emulator.close();
    await closed;
    expect(performance.now() - before).toBeLessThan(30_000);
  });

  it('accepts any Host, because a client may use Cloud KMS’s host name, but refuses requests from web pages', async () => {
    const { emulator, ca } = await startWithTls();
    const url = `${emulator.url}/v1/${KEY}`;
    const host = 'cloudkms.googleapis.com';
    const servername = '127.0.0.1';
    expect(await get(url, { ca, servername, headers: { host } })).toMatchObject({ status: 200 });
    const page = await get(url, { ca, servername, headers: { host, origin: 'https://attacker.example' } });
    expect(page.status).toBe(403);
  });
});
