import { isIPv6 } from 'node:net';
import { type Context, Hono } from 'hono';
import type { Logger } from 'pino';
import { HttpError } from '../errors.ts';
import type { Env } from '../http/context.ts';
import { checkHost, createResponseHeaders } from '../http/guards.ts';
import { errorResponse, reply } from '../http/responses.ts';
import { type ProbeOptions, probeRoutes, serveProbes } from './health.ts';

export interface MetricsAppOptions extends Omit<ProbeOptions, 'headers'> {
  /** Accepted `Host` headers of `/metrics` in lower case, in addition to the address of the connection. */
  readonly hosts: readonly string[];
  readonly log: Logger;
}

/**
 * Returns the app of the metrics port: `/metrics` and the probes. It needs no sign-in, so the checks of `Host` and
 * `Origin` stop web pages in browsers of the same network.
 */
export function metricsApp(
  metrics: { text(): Promise<string> },
  { hosts, log, ...probes }: MetricsAppOptions,
): Hono<Env> {
  const headers = createResponseHeaders([]);
  const accepted = new Set(hosts);
  const app = new Hono<Env>();
  app.onError(errorResponse({ headers, log, isApi: () => false }));
  app.use(async (c, next) => {
    c.set('headers', headers.of(undefined));
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
    return reply(c, 'This port serves GET only.\n', 'text/plain; charset=utf-8', 405, { Allow: 'GET, HEAD' });
  });
  serveProbes(app, probeRoutes({ ...probes, headers }));
  app.get('/metrics', async (c) => {
    // A web page that uses DNS rebinding sends its own name, never this server's address.
    checkHost(c, (host) => accepted.has(host) || host === ownAddress(c), 'CODEC_METRICS_ALLOWED_HOSTS');
    if (c.req.header('origin') !== undefined) {
      throw new HttpError(
        403,
        'forbidden',
        'Web pages may not read metrics; send the request without Origin.',
        { loggable: true },
      );
    }
    return reply(c, await metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
  });
  app.all('/*', () => {
    throw new HttpError(404, 'not_found', 'This port serves /metrics, /healthz and /readyz.');
  });
  return app;
}

/** Returns the server's end of the connection, as a `Host` header contains it. */
function ownAddress(c: Context<Env>): string | undefined {
  const socket = c.env?.incoming?.socket;
  const address = socket?.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  if (address === undefined) return undefined;
  return `${isIPv6(address) ? `[${address}]` : address}:${socket?.localPort}`;
}
