import type { KmsCodec } from '@temporal-kms/kms-codec';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Access } from './access/access.ts';
import type { Audit } from './audit/audit.ts';
import type { ChainHead } from './audit/chain.ts';
import type { Digests } from './audit/digests.ts';
import type { Inspect } from './history/payload-stub.ts';
import { HistoryReader } from './history/reader.ts';
import type { TextThreads } from './history/text-threads.ts';
import type { Env } from './http/context.ts';
import { failure } from './http/failure.ts';
import { guard } from './http/guard.ts';
import { createResponseHeaders } from './http/headers.ts';
import { cutSlowReaders } from './http/slow-readers.ts';
import { defaultLimits, limitRequests, type Limits, limitStreams, shuttingDown } from './http/limits.ts';
import { HttpError } from './errors.ts';
import { Router } from './http/router.ts';
import type { HttpMeter } from './http/meter.ts';
import { createRateLimits, type Rates } from './http/rate-limits.ts';
import { requestLog } from './http/request-log.ts';
import { guardedRoutes } from './http/routes.ts';
import { describedKeys } from './keys/described-keys.ts';
import type { KeyUseWatch } from './keys/key-use.ts';
import type { KmsWatch } from './keys/kms-watch.ts';
import { MemoryBudget } from './memory/budget.ts';
import { historyBytes, inflightBytes } from './memory/heap.ts';
import { codecProtocol } from './protocol/protocol.ts';
import { auditRoutes } from './routes/audit.ts';
import { exportRoutes } from './routes/export.ts';
import { healthRoutes, probeRoutes } from './routes/health.ts';
import { historyRoutes } from './routes/history.ts';
import { identityRoutes } from './routes/identity.ts';
import { keyRoutes } from './routes/keys.ts';
import { namespaceRoutes } from './routes/namespaces.ts';
import { openApiRoutes } from './routes/openapi.ts';
import { searchRoutes } from './routes/search.ts';
import { workflowRoutes } from './routes/workflows.ts';
import type { TemporalService } from './temporal/service.ts';

export interface AppDeps {
  readonly codec: Pick<
    KmsCodec,
    'encode' | 'decode' | 'open' | 'inspect' | 'unopened' | 'rules' | 'keyService'
  >;
  readonly kms: Pick<KmsWatch, 'last'>;
  /** Its observer hears the codec; what it counts is told under `keys`. */
  readonly keyUse: KeyUseWatch;
  readonly emulator: boolean;
  readonly temporal: TemporalService;
  readonly threads: TextThreads;
  readonly defaultNamespace: string;
  readonly access: Access;
  readonly audit: Audit;
  /** Where the audit is written to, if it is a file; absent: there is none to read. */
  readonly auditFile?: string | undefined;
  /** The audit's last line. */
  readonly auditHead?: () => ChainHead;
  /** Absent: the audit has no digests of ciphertexts. */
  readonly digests?: Digests | undefined;
  /** `Host` headers that are served, lower case. */
  readonly hosts: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Before every route but the probes: empty or `/…`. */
  readonly pathPrefix: string;
  readonly log: Logger;
  /** Absent: nothing is measured. */
  readonly meter?: HttpMeter;
  /** Served over TLS of its own. */
  readonly tls?: boolean;
  /** Aborted once the process is to end: streams close with an `end` line, and no new request is taken. */
  readonly stopping: AbortSignal;
  /** Whether `/{namespace}/encode` and `/{namespace}/decode` are served as well. */
  readonly namespacePaths?: boolean;
  readonly limits?: Partial<Limits>;
  /** Absent: callers may ask as often as they like. */
  readonly rates?: Rates;
  /** Proxies in front whose `X-Forwarded-For` is believed; absent: none. */
  readonly proxies?: number | undefined;
  /** What requests in flight may hold together; default `inflightBytes()`. */
  readonly memory?: MemoryBudget;
  /** Bytes of raw history kept in memory; default `historyBytes()`. */
  readonly maxHistoryBytes?: number;
}

/** Bytes of memory that a request of the codec protocol takes at most for each byte of its body, see `parsePayloads`. */
const BODY_COST = 6;

/** Bytes of a body below `/api`: the longest that means something names 200 refs. */
const API_BODY = 256 * 1024;

/** The whole HTTP surface, without a port or an environment. */
export function createApp(deps: AppDeps): Hono<Env> {
  const { codec, access, keyUse, temporal, log, stopping, pathPrefix, emulator, kms, defaultNamespace } =
    deps;
  const { rules } = codec;
  const memory = deps.memory ?? new MemoryBudget(inflightBytes());
  const largestBody = Math.min(defaultLimits.maxBody, Math.floor(memory.share / BODY_COST));
  const limits: Limits = { ...defaultLimits, maxBody: largestBody, ...deps.limits };
  const headers = createResponseHeaders(deps.corsOrigins, deps.tls);
  const reader = new HistoryReader(temporal, { maxBytes: deps.maxHistoryBytes ?? historyBytes() });
  const serves = (namespace: string): boolean => rules.covers(namespace);
  const inspect: Inspect = (payload, context) => codec.inspect(payload, context);
  const apiPath = `${pathPrefix}/api`;
  const isApi = (path: string): boolean => path === apiPath || path.startsWith(`${apiPath}/`);
  const rates = createRateLimits(deps.rates ?? {}, (limit) => deps.meter?.rateLimited(limit));
  const authority = { access, audit: keyUse.watched(deps.audit), rates };
  const health = { temporal, kms, emulator, headers, stopping };

  const often = [`${pathPrefix}/decode`, `${pathPrefix}/encode`];
  const app = new Hono<Env>({ router: new Router(often) });
  app.onError(failure({ headers, log, isApi, rates }));
  app.use(requestLog(log, stopping, deps.meter));
  probeRoutes(app, health);
  const maxBody = (path: string): number =>
    isApi(path) ? Math.min(API_BODY, limits.maxBody) : limits.maxBody;
  const guarded = guard({ hosts: new Set(deps.hosts), headers, maxBody });
  const inTime = limitRequests(limits, stopping);
  const watchReader = cutSlowReaders(limits.stalledMs);
  // One step for all: as middlewares of their own, with a timer a request, they took a quarter of a small one.
  app.use((c, next) => {
    if (deps.proxies !== undefined) c.set('proxies', deps.proxies);
    c.set('memory', memory);
    const preflight = guarded(c);
    if (preflight !== undefined) return Promise.resolve(preflight);
    if (stopping.aborted) throw shuttingDown();
    watchReader(c);
    return inTime(next);
  });

  const api = new Hono<Env>();
  const routes = guardedRoutes(api, authority, serves);
  const ofNamespaces = { access, rules, defaultNamespace, temporal };
  identityRoutes(routes, ofNamespaces);
  namespaceRoutes(routes, ofNamespaces);
  workflowRoutes(routes, { access, temporal, inspect });
  const admitStream = limitStreams(limits);
  const ofRuns = {
    temporal,
    reader,
    threads: deps.threads,
    codec,
    inspect,
    authority,
    log,
    stopping,
    admitStream,
  };
  historyRoutes(routes, ofRuns);
  searchRoutes(routes, ofRuns);
  auditRoutes(routes, { authority, auditFile: deps.auditFile, head: deps.auditHead });
  exportRoutes(routes, ofRuns);
  keyRoutes(routes, { rules, described: describedKeys(codec), use: keyUse });
  healthRoutes(routes, health);
  openApiRoutes(routes, pathPrefix);
  api.all('/*', () => {
    throw new HttpError(404, 'not_found', 'The history API has no such route.');
  });
  app.route(apiPath, api);

  app.all(
    '/*',
    codecProtocol({
      codec,
      authority,
      serves,
      digests: deps.digests,
      limits,
      pathPrefix,
      namespacePaths: deps.namespacePaths ?? false,
    }),
  );
  return app;
}
