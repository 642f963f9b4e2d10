import type { MiddlewareHandler } from 'hono';
import { isIPv4 } from 'node:net';

/**
 * Returns whether an address is loopback. Does not resolve names, because `localhost` can resolve to any
 * address.
 */
const isLoopback = (host: string): boolean => host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** @throws TypeError if other machines could reach the address */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  throw new TypeError(
    `The emulator stores keys in plaintext and authenticates no caller, so it listens on loopback only. Use 127.0.0.1 or ::1 instead of ${host}.`,
  );
}

/** Returns an error that states why the emulator cannot listen on an address. */
export function cannotListen(address: string, cause: Error): Error {
  const reason = cause.message.includes('EADDRINUSE') ? 'the port is in use' : cause.message;
  return new Error(`Cannot listen on ${address}: ${reason}.`, { cause });
}

const loopbackHost = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/;

/**
 * Refuses HTTP requests that a web page could send. Such requests have a foreign `Host` (a domain that
 * resolves to loopback), an `Origin`, or a body that is not declared as JSON (a browser sends such a body
 * without a preflight).
 *
 * @param anyHost accepts every `Host`. With TLS, any `Host` is safe, because the certificate is not valid for
 *   an attacker's domain
 */
export const refusePages =
  (anyHost = false): MiddlewareHandler =>
  async ({ req, json }, next) => {
    if (!anyHost && !loopbackHost.test(req.header('host') ?? '')) return json(refusal('Unknown Host.'), 403);
    if (req.header('origin') !== undefined) return json(refusal('Web pages may not use this API.'), 403);
    const hasBody =
      (req.header('content-length') ?? '0') !== '0' || req.header('transfer-encoding') !== undefined;
    if (hasBody && !/^application\/json\b/.test(req.header('content-type') ?? ''))
      return json(refusal('The body must be sent as application/json.'), 415);
    return next();
  };

const refusal = (error: string) => ({ error });
