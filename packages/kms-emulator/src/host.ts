import { isIPv4 } from 'node:net';

/** Whether only this machine can reach an address. Names are not looked up: `localhost` may be anything. */
export const isLoopback = (host: string): boolean =>
  host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** @throws TypeError for every address that others could reach. */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new TypeError(
    `The emulator keeps keys in clear and asks no one who they are, so it listens on loopback only. Use 127.0.0.1 or ::1 instead of ${host}.`,
  );
}
