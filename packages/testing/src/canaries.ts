import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { listenOnLoopback } from './network.ts';

/** The secrets that `newCanary` returns begin with this prefix. */
export const CANARY_PREFIX = 'canary-';

/**
 * Returns a random secret that consists of letters, so that no encoder escapes the secret or treats it as a
 * number.
 */
export const newCanary = (): string =>
  CANARY_PREFIX +
  randomBytes(12)
    .toString('hex')
    .replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));

/**
 * Returns the forms in which a secret may appear in a log, file or response: plain text, JSON, hex, base64
 * and base64url (each at three offsets), and bytes as printed by Node and JSON.
 */
export function formsOf(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].flatMap((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]);
    // Omits the outer characters, which also encode bits of the bytes around the secret.
    const first = Math.ceil((shift * 8) / 6);
    const count = Math.floor((whole.length * 8) / 6) - first;
    return (['base64', 'base64url'] as const).map((alphabet) =>
      whole.toString(alphabet).slice(first, first + count),
    );
  });
  const hex = bytes.toString('hex');
  const inWords = typeof secret === 'string' ? [secret, JSON.stringify(secret).slice(1, -1)] : [];
  return [
    ...new Set([
      bytes.toString('latin1'),
      ...inWords,
      hex,
      hex.toUpperCase(),
      hex.replaceAll(/..(?=.)/g, '$& '),
      bytes.join(','),
      JSON.stringify(new Uint8Array(bytes)).slice(1, -1),
      ...shifted,
    ]),
  ];
}

/** Returns every form of a secret that occurs in the text. */
export const leaksIn = (text: string, secrets: readonly (string | Uint8Array)[]): string[] =>
  secrets.flatMap(formsOf).filter((form) => text.includes(form));

/** A listener to which no client should connect. */
export interface NetworkCanary {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Returns the number of connections so far. */
  connections(): number;
  close(): void;
}

/** Listens on a free port of 127.0.0.1, counts connections, and closes each connection immediately. */
export async function startNetworkCanary(): Promise<NetworkCanary> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined).destroy();
  });
  const port = await listenOnLoopback(server);
  return { address: `127.0.0.1:${port}`, connections: () => connections, close: () => void server.close() };
}
