import { isIPv6 } from 'node:net';
import { type CryptoHealth, cryptoHealth } from '@temporal-kms/codec-api';
import { type Context, Hono } from 'hono';
import type { Logger } from 'pino';
import { HttpError } from '../errors.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { checkHost, createResponseHeaders, type ResponseHeaders } from '../http/guards.ts';
import { errorResponse, reply, replyJson } from '../http/responses.ts';
import type { BranchKeyStoreHealth } from '../observability/branch-key-store.ts';
import type { KmsHealth } from '../observability/kms-health.ts';
import type { TemporalService } from '../temporal/service.ts';
import { version } from '../version.ts';
import { responses } from './openapi.ts';

export interface ProbeOptions {
  readonly kms: Pick<KmsHealth, 'last'>;
  /** Whether keys come from an emulator (`KMS_EMULATOR_HOST`). */
  readonly emulator: boolean;
  readonly headers: ResponseHeaders;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
}

export interface HealthRouteOptions extends Pick<ProbeOptions, 'kms' | 'emulator'> {
  readonly temporal: Pick<TemporalService, 'healthy'>;
  /** Undefined if the process has no branch-key store. */
  readonly branchKeyStore?: Pick<BranchKeyStoreHealth, 'last'> | undefined;
  /** Returns the keys of all namespaces that the caller may read. */
  readonly readableKeys: (c: Context<Env>) => Promise<ReadonlySet<string>>;
}

/** The probes and the version, which contain nothing confidential. */
export const probeRoutes = ({ kms, emulator, headers, stopping }: ProbeOptions): readonly Route[] => {
  const probe = (
    operationId: 'healthz' | 'readyz' | 'version',
    summary: string,
    schema: (typeof responses)['Probe' | 'Version'],
    handler: (c: Context<Env>) => Response,
  ): Route =>
    defineRoute({
      method: 'get',
      path: `/${operationId}`,
      operationId,
      summary,
      requires: 'public',
      response: { description: 'The response', type: 'application/json', schema },
      handler: (c) => {
        c.set('headers', headers.of(undefined));
        return handler(c);
      },
    });
  return [
    probe('healthz', 'Liveness probe', responses.Probe, (c) => replyJson(c, { status: 'ok' })),
    // The response does not list refused keys, because this route needs no sign-in, and keys are often named
    // after their namespace. Neither an outage nor a key that Cloud KMS refuses makes a replica unready,
    // because other requests still work.
    probe('readyz', 'Readiness probe: 503 while the process shuts down', responses.Probe, (c) => {
      const status = stopping.aborted ? 'stopping' : 'ready';
      return replyJson(
        c,
        { status, kms: { ...kms.last(), refused: undefined, emulator } },
        stopping.aborted ? 503 : 200,
      );
    }),
    probe('version', 'Returns the version of the server', responses.Version, (c) =>
      replyJson(c, { version }),
    ),
  ];
};

/** Serves the probes at the root, with any `Host`, because load balancers send an IP address as the host. */
export function serveProbes(app: Hono<Env>, probes: readonly Route[]): void {
  for (const { path, handle } of probes) app.get(path, (c) => handle(c, {}, undefined));
}

export const healthRoute = ({
  temporal,
  kms,
  emulator,
  branchKeyStore,
  readableKeys,
}: HealthRouteOptions): Route =>
  defineRoute({
    method: 'get',
    path: '/api/health',
    operationId: 'getHealth',
    summary: 'Returns whether payloads can be decrypted now',
    requires: 'metadata',
    response: {
      description:
        'The results of recent real Cloud KMS calls, the state of the branch-key store, and whether Temporal responds',
      type: 'application/json',
      schema: cryptoHealth,
    },
    handler: async (c) => {
      const healthy = await temporal.healthy(c.req.raw.signal);
      const state = kms.last();
      const readable = state.refused && (await readableKeys(c));
      const refused = state.refused?.filter(({ key }) => readable?.has(key));
      const health: CryptoHealth = {
        kms: { ...state, refused: refused?.length ? refused : undefined, emulator },
        temporal: { status: healthy ? 'ok' : 'unavailable' },
        ...(branchKeyStore && { branchKeyStore: branchKeyStore.last() }),
      };
      return replyJson(c, health);
    },
  });

export interface MetricsAppOptions extends Omit<ProbeOptions, 'headers'> {
  /** Accepted `Host` headers of `/metrics` in lower case, in addition to the address of the connection. */
  readonly hosts: readonly string[];
  readonly log: Logger;
}

/**
 * Returns the app for the metrics port: `/metrics`, the probes and the version. The app requires no sign-in,
 * so it checks `Host` and `Origin` to keep out web pages in browsers on the same network.
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
    return reply(c, 'This port accepts only GET.\n', 'text/plain; charset=utf-8', 405, {
      Allow: 'GET, HEAD',
    });
  });
  serveProbes(app, probeRoutes({ ...probes, headers }));
  app.get('/metrics', async (c) => {
    // A web page that uses DNS rebinding sends its own host name, never this server's address.
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
    throw new HttpError(404, 'not_found', 'This port serves /metrics, /healthz, /readyz and /version.');
  });
  return app;
}

/** Returns the server's end of the connection in the form of a `Host` header. */
function ownAddress(c: Context<Env>): string | undefined {
  const socket = c.env?.incoming?.socket;
  const address = socket?.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  if (address === undefined) return undefined;
  return `${isIPv6(address) ? `[${address}]` : address}:${socket?.localPort}`;
}
