import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { listenOnLoopback } from './network.ts';

/** Every secret text of these tests begins with this prefix. */
export const CANARY_PREFIX = 'canary-';

/** Returns a random secret of letters, which no encoder escapes or takes for a number. */
export const newCanary = (): string =>
  CANARY_PREFIX +
  randomBytes(12)
    .toString('hex')
    .replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));

/**
 * Returns the forms that a secret may take in a log, a file or a response: plain, JSON, hex, base64 and base64url
 * at each of three offsets, and bytes as Node and JSON print them.
 */
export function formsOf(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].flatMap((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]);
    // The outer characters also contain bits of the bytes around the secret.
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

/** Returns which forms of the secrets the text contains. */
export const leaksIn = (text: string, secrets: readonly (string | Uint8Array)[]): string[] =>
  secrets.flatMap(formsOf).filter((form) => text.includes(form));

/** A listener that no client may reach. */
export interface NetworkCanary {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** The number of connections so far. */
  connections(): number;
  close(): void;
}

/** Listens on a free port of 127.0.0.1, counts connections and closes each at once. */
export async function startNetworkCanary(): Promise<NetworkCanary> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined).destroy();
  });
  const port = await listenOnLoopback(server);
  return { address: `127.0.0.1:${port}`, connections: () => connections, close: () => void server.close() };
}
