import { isIPv6 } from 'node:net';
import { type Context, Hono } from 'hono';
import type { Logger } from 'pino';
import type { Env } from './http/context.ts';
import { failure } from './http/failure.ts';
import { checkHost } from './http/guard.ts';
import { createResponseHeaders } from './http/headers.ts';
import { reply } from './http/reply.ts';
import { HttpError } from './errors.ts';
import { type ProbeOptions, probeRoutes } from './routes/health.ts';
import type { Metrics } from './metrics/metrics.ts';

export interface MetricsAppOptions extends Omit<ProbeOptions, 'headers'> {
  /** `Host` headers that `/metrics` is served for, lower case, next to the address that a connection came in on. */
  readonly hosts: readonly string[];
  readonly log: Logger;
}

/**
 * What the port for metrics serves: those, and the probes. There is no sign-in, so `Host` and `Origin` keep the web
 * pages out that a browser in the same network shows.
 */
export function metricsApp(
  metrics: Pick<Metrics, 'text'>,
  { hosts, log, ...probes }: MetricsAppOptions,
): Hono<Env> {
  const headers = createResponseHeaders([]);
  const served = new Set(hosts);
  const app = new Hono<Env>();
  app.onError(failure({ headers, log, isApi: () => false }));
  app.use(async (c, next) => {
    c.set('headers', headers.of(undefined));
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
    return reply(c, 'Only GET is served here.\n', 'text/plain; charset=utf-8', 405, { Allow: 'GET, HEAD' });
  });
  probeRoutes(app, { ...probes, headers });
  app.get('/metrics', async (c) => {
    // A page that a name was rebound for sends that name, never this server's address.
    checkHost(c, (host) => served.has(host) || host === ownAddress(c), 'CODEC_METRICS_ALLOWED_HOSTS');
    if (c.req.header('origin') !== undefined) {
      throw new HttpError(403, 'forbidden', 'Web pages may not read metrics.', { loggable: true });
    }
    return reply(c, await metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
  });
  app.all('/*', () => {
    throw new HttpError(404, 'not_found', 'This port serves /metrics, /healthz and /readyz.');
  });
  return app;
}

/** The server's end of the connection, as a `Host` header has it. */
function ownAddress(c: Context<Env>): string | undefined {
  const socket = c.env?.incoming?.socket;
  const address = socket?.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  if (address === undefined) return undefined;
  return `${isIPv6(address) ? `[${address}]` : address}:${socket?.localPort}`;
}
