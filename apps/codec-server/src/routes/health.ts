import { type CryptoHealth, cryptoHealth } from '@temporal-kms/codec-api';
import type { Context, Hono } from 'hono';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import type { ResponseHeaders } from '../http/guards.ts';
import { openApiDocument } from '../http/openapi.ts';
import { reply, replyJson } from '../http/responses.ts';
import { responses } from '../http/schemas.ts';
import type { KmsHealth } from '../observability/kms-health.ts';
import type { TemporalService } from '../temporal/service.ts';

export interface ProbeOptions {
  readonly kms: Pick<KmsHealth, 'last'>;
  /** Keys come from an emulator (`KMS_EMULATOR_HOST`). */
  readonly emulator: boolean;
  readonly headers: ResponseHeaders;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
}

export interface HealthRouteOptions extends Pick<ProbeOptions, 'kms' | 'emulator'> {
  readonly temporal: TemporalService;
}

/** The probes. They contain nothing to protect. */
export const probeRoutes = ({ kms, emulator, headers, stopping }: ProbeOptions): readonly Route[] => {
  const probe = (
    operationId: 'healthz' | 'readyz',
    summary: string,
    handler: (c: Context<Env>) => Response,
  ): Route =>
    defineRoute({
      method: 'get',
      path: `/${operationId}`,
      operationId,
      summary,
      requires: 'public',
      response: { description: 'The state', type: 'application/json', schema: responses.Probe },
      handler: (c) => {
        c.set('headers', headers.of(undefined));
        return handler(c);
      },
    });
  return [
    probe('healthz', 'Liveness probe', (c) => replyJson(c, { status: 'ok' })),
    // An outage of Temporal or Cloud KMS does not make a replica unready: requests that need neither still work.
    probe('readyz', 'Readiness probe: 503 while the process shuts down', (c) => {
      const status = stopping.aborted ? 'stopping' : 'ready';
      return replyJson(c, { status, kms: { ...kms.last(), emulator } }, stopping.aborted ? 503 : 200);
    }),
  ];
};

/** Serves the probes at the root and whatever their `Host`: load balancers send an address. */
export function serveProbes(app: Hono<Env>, probes: readonly Route[]): void {
  for (const { path, handle } of probes) app.get(path, (c) => handle(c, {}));
}

export const healthRoute = ({ temporal, kms, emulator }: HealthRouteOptions): Route =>
  defineRoute({
    method: 'get',
    path: '/api/health',
    operationId: 'getHealth',
    summary: 'Returns whether payloads can be decrypted now',
    requires: 'metadata',
    response: {
      description: "Cloud KMS's last response, and whether Temporal responds",
      type: 'application/json',
      schema: cryptoHealth,
    },
    handler: async (c) => {
      const healthy = await temporal.healthy(c.req.raw.signal);
      const health: CryptoHealth = {
        kms: { ...kms.last(), emulator },
        temporal: { status: healthy ? 'ok' : 'unavailable' },
      };
      return replyJson(c, health);
    },
  });

/**
 * @param pathPrefix as configured: empty or `/…`
 * @param routes returns every route of the server, this one included
 */
export function openApiRoute(pathPrefix: string, routes: () => readonly Route[]): Route {
  let document: string | undefined;
  return defineRoute({
    method: 'get',
    path: '/api/openapi.json',
    operationId: 'getOpenApi',
    summary: 'Returns this document',
    requires: 'metadata',
    response: { description: 'OpenAPI 3.1', type: 'application/json' },
    handler: (c) => {
      document ??= JSON.stringify(openApiDocument(pathPrefix, routes()));
      return reply(c, document, 'application/json');
    },
  });
}
