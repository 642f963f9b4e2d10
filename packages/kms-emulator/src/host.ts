import { isIPv4 } from 'node:net';

/** Whether only this machine can reach an address. Names are not looked up: `localhost` may be anything. */
const isLoopback = (host: string): boolean => host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** @throws TypeError for every address that others could reach. */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new TypeError(
    `The emulator keeps keys in clear and asks no one who they are, so it listens on loopback only. Use 127.0.0.1 or ::1 instead of ${host}.`,
  );
}

/** Says which address could not be had, and why. */
export function cannotListen(address: string, cause: Error): Error {
  const reason = cause.message.includes('EADDRINUSE') ? 'the port is in use' : cause.message;
  return new Error(`Cannot listen on ${address}: ${reason}.`, { cause });
}
