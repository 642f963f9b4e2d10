import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '@temporal-kms/testing/certificates';
import { listenOnLoopback } from '@temporal-kms/testing/network';
import { folderForFile } from '../support/for-file.ts';

const rules = fileURLToPath(new URL('../../src/server/tls.ts', import.meta.url));
const weakest = ['--tls-min-v1.0', '--tls-cipher-list=ALL:COMPLEMENTOFALL:@SECLEVEL=0'];
const run = promisify(execFile);
const directory = await folderForFile();
const files = makeCertificate(directory, 'issuer', ['rsa', 'rsa_keygen_bits:2048']);
const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);

/**
 * Starts a server that runs until the test ends.
 * @param failed called if a handshake fails
 * @returns the server's port
 */
async function serve(
  options: TlsOptions,
  connected: (socket: TLSSocket) => void,
  failed: () => void = () => undefined,
): Promise<number> {
  const server = createServer({ cert, key, ...options }, (socket) => {
    socket.on('error', () => undefined);
    connected(socket);
  }).on('tlsClientError', failed);
  onTestFinished(() => void server.close());
  return listenOnLoopback(server);
}

/** Starts an issuer's server that responds with `{}`. */
const issuerWith = async (options: TlsOptions): Promise<string> => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}';
  return `https://127.0.0.1:${await serve(options, (socket) => socket.end(answer))}/`;
};

const hardening = (hardened: boolean): string =>
  hardened ? `(await import(${JSON.stringify(rules)})).requireModernTls();` : '';

/**
 * Sends a request to the issuer, and returns the response or the error code. The request is sent by a process
 * whose command line allows every TLS version and cipher suite.
 * @param hardened whether the process calls `requireModernTls`
 */
async function fetched(url: string, hardened: boolean): Promise<string> {
  const script = `${hardening(hardened)} console.log(await fetch(${JSON.stringify(url)}).then((r) => r.text(), (e) => e.cause.code));`;
  const args = [...weakest, '--input-type=module', '--eval', script];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: files.certFile };
  return (await run(process.execPath, args, { env })).stdout.trim();
}

it.each<[what: string, options: TlsOptions]>([
  ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
  ['TLS 1.0', { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }],
  ['RSA key exchange', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
  ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA256' }],
])('refuses an issuer that offers only %s, whatever NODE_OPTIONS allows', async (_, options) => {
  const url = await issuerWith(options);
  expect(await fetched(url, false)).toBe('{}');
  expect(await fetched(url, true)).toMatch(/^(?:ERR_SSL|EPROTO|ECONNRESET)/);
});

it.each<[what: string, options: TlsOptions]>([
  ['TLS 1.3', { minVersion: 'TLSv1.3' }],
  ['TLS 1.2 with ECDHE and an AEAD', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }],
])('fetches keys from an issuer that offers %s', async (_, options) => {
  expect(await fetched(await issuerWith(options), true)).toBe('{}');
});

/**
 * Returns whether Temporal's client completes a TLS handshake with a server. Google's client uses the same gRPC
 * library.
 */
async function completesHandshake(options: TlsOptions, hardened: boolean): Promise<boolean> {
  const handshake = Promise.withResolvers<boolean>();
  const completed = (socket: TLSSocket): void => {
    socket.destroy();
    handshake.resolve(true);
  };
  const port = await serve({ ALPNProtocols: ['h2'], ...options }, completed, () => handshake.resolve(false));
  const script = `${hardening(hardened)}
    const { Connection } = await import('@temporalio/client');
    const serverRootCACertificate = (await import('node:fs')).readFileSync(${JSON.stringify(files.certFile)});
    const connectTimeout = 60_000;
    await Connection.connect({ address: '127.0.0.1:${port}', connectTimeout, tls: { serverRootCACertificate } });`;
  // The client would try again after the first handshake.
  const ended = new AbortController();
  const client = run(process.execPath, [...weakest, '--input-type=module', '--eval', script], {
    signal: ended.signal,
  });
  try {
    return await Promise.race([handshake.promise, client.then(() => handshake.promise)]);
  } finally {
    ended.abort();
    await client.catch(() => undefined);
  }
}

it.each<[what: string, options: TlsOptions]>([
  ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
  ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA256' }],
])('refuses a gRPC server that offers only %s, whatever NODE_OPTIONS allows', async (_, options) => {
  expect(await completesHandshake(options, false)).toBe(true);
  expect(await completesHandshake(options, true)).toBe(false);
});

it('connects by gRPC to a server that offers TLS 1.2 with ECDHE and an AEAD', async () => {
  expect(
    await completesHandshake({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, true),
  ).toBe(true);
});
