import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

const hostname = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

/** A port; 0 selects a free port. */
export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port, a whole number from 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port, a whole number from 0 to 65535');

/** A whole number of seconds, up to an hour. */
export const seconds = z
  .string()
  .regex(/^\d{1,4}$/, 'must be a whole number of seconds from 0 to 3600')
  .transform(Number)
  .refine((value) => value <= 3_600, 'must be a whole number of seconds from 0 to 3600');

/** A whole number above 0. */
export const count = z
  .string()
  .regex(/^[1-9]\d{0,11}$/, 'must be a whole number above 0')
  .transform(Number);

/** A whole number above 0, or `off`, which becomes `undefined`. */
export const countOrOff = z
  .string()
  .regex(/^(?:[1-9]\d{0,11}|off)$/, 'must be a whole number above 0, or off')
  .transform((value) => (value === 'off' ? undefined : Number(value)));

/** An address or name to listen on, without a port. */
export const host = z
  .string()
  .refine(
    (value) => isIPv4(value) || isIPv6(value) || hostname.test(value),
    'must be an IP address or a host name, without a port',
  );

/** A list of one or more values, separated by commas and optional white space. */
export function list<T>(item: z.ZodType<T, string>) {
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item));
}

/** An origin, `scheme://host[:port]`, exactly as a browser sends it in the header `Origin`. */
export const origin = z.string().superRefine((value, context) => {
  if (value === '*') {
    context.addIssue('must list each origin: with *, every web page could read decrypted payloads');
  } else if (!/^https?:/i.test(value) || URL.parse(value)?.origin !== value) {
    context.addIssue(
      'must be an origin: http or https, host in lower case, port unless it is the default, no path',
    );
  }
});

/** The value of a `Host` header, `host[:port]`, in lower case. */
export const hostHeader = z
  .string()
  .toLowerCase()
  .refine(
    (value) => isHost(value.replace(/:\d{1,5}$/, '')),
    'must be host or host:port; an IPv6 address in brackets',
  );

function isHost(value: string): boolean {
  const address = /^\[(.*)\]$/.exec(value)?.[1];
  return address === undefined ? hostname.test(value) : isIPv6(address);
}

export const logLevel = z.enum(
  ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  'must be one of fatal, error, warn, info, debug, trace, silent',
);

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Returns whether only this machine can reach a server that listens on `value`. */
export function isLoopback(value: string): boolean {
  if (isIPv4(value)) return loopback.check(value);
  if (isIPv6(value)) return loopback.check(value, 'ipv6');
  return value.toLowerCase() === 'localhost';
}
