import { constants, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import tls, { createSecureContext, type SecureContextOptions } from 'node:tls';
import { messageOf } from '../errors.ts';

const MIN_VERSION = 'TLSv1.2';

/** TLS 1.3, and TLS 1.2 with ECDHE and an AEAD: no CBC, no RSA key exchange, no finite-field Diffie-Hellman. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/** This server's TLS settings, without the certificate. */
export const serverTls = {
  minVersion: MIN_VERSION,
  ciphers: CIPHERS,
  honorCipherOrder: true,
  ecdhCurve: 'X25519MLKEM768:X25519:prime256v1:secp384r1',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

/**
 * Requires the same versions and cipher suites for connections to issuers, Temporal and Cloud KMS, even if
 * `NODE_OPTIONS` allows others (`--tls-min-v1.0`, `--tls-cipher-list`). Call this function before the first
 * connection.
 */
export function requireModernTls(): void {
  tls.DEFAULT_MIN_VERSION = MIN_VERSION;
  tls.DEFAULT_MAX_VERSION = 'TLSv1.3';
  tls.DEFAULT_CIPHERS = CIPHERS;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate chain and its private key, both as PEM. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the files.
 * @throws Error that names the file, if it is unreadable, not part of a matching pair, or expired
 */
export async function readTlsPair({ certFile, keyFile }: TlsFiles, now = Date.now()): Promise<TlsPair> {
  const [cert, key] = await Promise.all([readNamed(certFile), readNamed(keyFile)]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(
      `${certFile} and ${keyFile} are not a certificate and its private key: ${messageOf(error)}`,
      { cause: error },
    );
  }
  const { validTo } = new X509Certificate(cert);
  if (Date.parse(validTo) < now) throw new Error(`${certFile} expired on ${validTo}; renew the certificate`);
  return { cert, key };
}

export interface TlsWatchOptions extends TlsFiles {
  readonly changed: (pair: TlsPair) => void;
  /**
   * Called if the files are invalid or missing, once per distinct error. The last valid pair stays in use.
   */
  readonly failed: (error: Error) => void;
  readonly everyMs?: number;
}

export interface TlsWatch {
  check(): Promise<void>;
  stop(): void;
}

/**
 * Reads the pair again periodically. File watchers are not sufficient, because mounted secrets are replaced
 * behind symbolic links, and one file may be replaced before the other.
 */
export function watchTlsPair(first: TlsPair, options: TlsWatchOptions): TlsWatch {
  let current = first;
  let lastError = '';
  const check = async (): Promise<void> => {
    try {
      const pair = await readTlsPair(options);
      lastError = '';
      if (pair.cert.equals(current.cert) && pair.key.equals(current.key)) return;
      current = pair;
      options.changed(pair);
    } catch (error) {
      const message = messageOf(error);
      if (message !== lastError) options.failed(new Error(message, { cause: error }));
      lastError = message;
    }
  };
  const timer = setInterval(() => void check(), options.everyMs ?? 30_000).unref();
  return { check, stop: () => clearInterval(timer) };
}

async function readNamed(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
