import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { issueCertificate, makeCertificate } from '@temporal-kms/scripts/certificates';
import type { Emulator } from '../../src/index.ts';
import { afterwards, KEY, start } from './running.ts';

const HOST = 'cloudkms.googleapis.com';

/** An emulator under Google's host name, for clients that have no option for the address. */
export interface AsGoogle {
  readonly emulator: Emulator;
  /** The URL for `HTTPS_PROXY`. */
  readonly proxy: string;
  /** The hosts that clients requested from the proxy. */
  readonly hosts: ReadonlySet<string | undefined>;
  /** The file of the certificate authority that a client must trust. */
  readonly authority: string;
}

/** Starts an emulator with TLS and a proxy that connects every client to it. `folder` receives the certificates. */
export async function startAsGoogle(folder: string): Promise<AsGoogle> {
  const authority = makeCertificate(folder, 'authority');
  const { certFile, keyFile } = issueCertificate(folder, 'emulator', authority, `DNS:${HOST}`);
  const tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
  const { emulator } = await start({ keys: [KEY], tls });
  const { url, hosts } = await startProxy(emulator.port);
  return { emulator, proxy: url, hosts, authority: authority.certFile };
}

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
    for (const socket of [client, upstream]) {
      socket.on('error', () => socket.destroy());
      socket.once('close', () => (socket === client ? upstream : client).destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  afterwards(() => new Promise((resolve) => proxy.close(resolve)));
  // `closeAllConnections` would leave tunnels open.
  proxy.on('connection', (socket) => afterwards(async () => socket.destroy()));
  const address = proxy.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, hosts };
}
