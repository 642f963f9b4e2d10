import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { CertificateFiles } from './certificates.ts';
import { listenOnLoopback } from './network.ts';

export interface TlsProxy {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Returns the names in the client certificates of accepted connections, without duplicates. */
  clients(): string[];
  close(): Promise<void>;
}

export interface TlsProxyOptions {
  /** The `host:port` of the server behind the proxy. The server does not use TLS. */
  readonly target: string;
  readonly certificate: CertificateFiles;
  /**
   * The certificate authority of accepted clients, for mutual TLS. If absent, the proxy does not request
   * client certificates.
   */
  readonly clientAuthorityFile?: string;
}

/**
 * Starts a TLS server on loopback that forwards HTTP/2 connections to a server without TLS, as a load
 * balancer does.
 */
export async function startTlsProxy(options: TlsProxyOptions): Promise<TlsProxy> {
  const { target, certificate, clientAuthorityFile } = options;
  const [host = '', port] = target.split(':');
  const names = new Set<string>();
  const sockets = new Set<TLSSocket>();
  const server = createServer({
    cert: readFileSync(certificate.certFile),
    key: readFileSync(certificate.keyFile),
    ALPNProtocols: ['h2'],
    ...(clientAuthorityFile !== undefined && {
      ca: readFileSync(clientAuthorityFile),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  });
  server.on('secureConnection', (socket) => {
    const { subject } = socket.getPeerCertificate();
    if (subject !== undefined) names.add(String(subject.CN));
    const behind = connect(Number(port), host);
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      behind.destroy();
    });
    behind.on('close', () => socket.destroy());
    socket.on('error', () => behind.destroy());
    behind.on('error', () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  const ownPort = await listenOnLoopback(server);
  return {
    address: `127.0.0.1:${ownPort}`,
    clients: () => [...names],
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
