import { Hono } from 'hono';
import type { Env } from './http/context.ts';
import { createResponseHeaders } from './http/headers.ts';
import { reply } from './http/reply.ts';
import { type ProbeOptions, probeRoutes } from './routes/health.ts';
import type { Metrics } from './metrics/metrics.ts';

/** What the port for metrics serves: those, and the probes. Nothing that is worth guarding, and no sign-in. */
export function metricsApp(metrics: Pick<Metrics, 'text'>, probes: Omit<ProbeOptions, 'headers'>): Hono<Env> {
  const headers = createResponseHeaders([]);
  const app = new Hono<Env>();
  probeRoutes(app, { ...probes, headers });
  app.get('/metrics', async (c) => {
    c.set('headers', headers.of(undefined));
    return reply(c, await metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
  });
  return app;
}
