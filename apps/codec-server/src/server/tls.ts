import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate with its chain, and its key, both PEM. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @throws Error that names the file that can't be read, or says that the two don't belong together or have expired */
export async function readTlsPair({ certFile, keyFile }: TlsFiles, now = Date.now()): Promise<TlsPair> {
  const [cert, key] = await Promise.all([readNamed(certFile), readNamed(keyFile)]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`${certFile} and ${keyFile} are no certificate with its key: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const { validTo } = new X509Certificate(cert);
  if (Date.parse(validTo) < now) throw new Error(`${certFile} expired on ${validTo}`);
  return { cert, key };
}

export interface TlsWatchOptions extends TlsFiles {
  readonly changed: (pair: TlsPair) => void;
  /** The files are wrong, or gone; what was read last stays in use. Told once for each state of the files. */
  readonly refused: (error: Error) => void;
  readonly everyMs?: number;
}

export interface TlsWatch {
  check(): Promise<void>;
  stop(): void;
}

/**
 * Reads the pair again now and then: mounted secrets are replaced behind symbolic links, which file watchers miss, and
 * one file of the two before the other.
 */
export function watchTlsPair(first: TlsPair, options: TlsWatchOptions): TlsWatch {
  let known = first;
  let refused = '';
  const check = async (): Promise<void> => {
    try {
      const pair = await readTlsPair(options);
      refused = '';
      if (pair.cert.equals(known.cert) && pair.key.equals(known.key)) return;
      known = pair;
      options.changed(pair);
    } catch (error) {
      const message = messageOf(error);
      if (message !== refused) options.refused(new Error(message, { cause: error }));
      refused = message;
    }
  };
  const timer = setInterval(() => void check(), options.everyMs ?? 30_000).unref();
  return { check, stop: () => clearInterval(timer) };
}

async function readNamed(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${path} can't be read: ${messageOf(error)}`, { cause: error });
  }
}
