import { isIPv4 } from 'node:net';

/** Whether only this machine can reach an address. It does not resolve names: `localhost` can be any address. */
const isLoopback = (host: string): boolean => host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** Accepts loopback addresses only. @throws TypeError for every address that other machines can reach */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new TypeError(
    `The emulator stores keys in plaintext and authenticates no caller, so it listens on loopback only. Use 127.0.0.1 or ::1 instead of ${host}.`,
  );
}

/** Returns the error for an address on which the emulator cannot listen, with the reason. */
export function cannotListen(address: string, cause: Error): Error {
  const reason = cause.message.includes('EADDRINUSE') ? 'the port is in use' : cause.message;
  return new Error(`Cannot listen on ${address}: ${reason}.`, { cause });
}
