import { Hono } from 'hono';
import { z } from 'zod';
import { refusePages } from '../host.ts';
import { KmsError } from '../model/errors.ts';
import type { Controls } from './controls.ts';
import * as schemas from './schemas.ts';

/** The addresses on which an emulator listens, for its owner and for its identities. */
export interface Addresses {
  readonly address: string;
  readonly identities: Readonly<Record<string, string>>;
}

/**
 * Creates the control API. Any web page can send requests to loopback, so {@link refusePages} refuses
 * requests from web pages.
 */
export function createControlApp(controls: Controls, addresses: Addresses): Hono {
  const app = new Hono();
  app.use(refusePages());
  app.onError((error, context) => {
    if (error instanceof z.ZodError) return context.json({ error: z.prettifyError(error) }, 400);
    if (error instanceof KmsError) return context.json({ error: error.message, status: error.status }, 400);
    if (error instanceof SyntaxError)
      return context.json({ error: `The body is not JSON: ${error.message}` }, 400);
    return context.json({ error: error.message }, 500);
  });
  app.notFound((context) =>
    context.json({ error: `There is no ${context.req.method} ${context.req.path}.` }, 404),
  );

  app.get('/healthz', (context) => context.json({ status: 'ok', ...addresses }));
  clockRoutes(app, controls);
  keyRoutes(app, controls);
  conditionRoutes(app, controls);

  app.get('/calls', (context) => {
    const rows = controls.calls.rows(context.req.query('method'));
    const total = rows.reduce((sum, { count }) => sum + count, 0);
    return context.json({ total, inFlight: controls.calls.inFlight(), rows });
  });
  app.delete('/calls', (context) => {
    controls.calls.reset();
    return context.body(null, 204);
  });

  app.get('/policies/:resource{.+}', (context) =>
    context.json(controls.policy(context.req.param('resource'))),
  );
  app.put('/policies/:resource{.+}', async (context) => {
    const { bindings } = schemas.policyBody.parse(await context.req.json());
    return context.json(await controls.setPolicy(context.req.param('resource'), bindings));
  });

  app.post('/versions', async (context) => {
    const { name, state, reason } = schemas.versionStateBody.parse(await context.req.json());
    await controls.setVersionState(name, state, reason);
    return context.json({ name, state });
  });
  app.post('/reset', (context) => {
    controls.reset();
    return context.body(null, 204);
  });
  return app;
}

function clockRoutes(app: Hono, controls: Controls): void {
  app.get('/clock', (context) => context.json({ now: controls.now() }));
  app.put('/clock', async (context) => {
    const body = schemas.clockBody.parse(await context.req.json());
    const now =
      'now' in body
        ? await controls.setTime(new Date(body.now))
        : await controls.advance(body.advanceSeconds);
    return context.json({ now });
  });
  app.delete('/clock', (context) => context.json({ now: controls.resetTime() }));
}

function keyRoutes(app: Hono, controls: Controls): void {
  app.get('/keys', (context) => context.json({ keys: controls.keys() }));
  app.post('/rotate', async (context) => {
    const { name } = schemas.rotateBody.parse(await context.req.json());
    return context.json({ keys: await controls.rotate(name) });
  });
}

function conditionRoutes(app: Hono, controls: Controls): void {
  app.get('/faults', (context) => context.json(controls.faults()));
  app.post('/faults', async (context) =>
    context.json(controls.injectFault(schemas.faultBody.parse(await context.req.json())), 201),
  );
  app.delete('/faults', (context) => {
    controls.clearFaults();
    return context.body(null, 204);
  });
  app.get('/latency', (context) => context.json(controls.latency()));
  app.put('/latency', async (context) =>
    context.json(controls.setLatency(schemas.latencyBody.parse(await context.req.json()))),
  );
  app.get('/propagation', (context) => context.json(controls.propagation()));
  app.put('/propagation', async (context) =>
    context.json(controls.setPropagation(schemas.propagationBody.parse(await context.req.json()))),
  );
  app.get('/quotas', (context) => context.json(controls.quotas()));
  app.put('/quotas', async (context) =>
    context.json(controls.setQuotas(schemas.quotasBody.parse(await context.req.json()))),
  );
}
