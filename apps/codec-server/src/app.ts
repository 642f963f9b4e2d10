import type { Audit, ChainHead, Digests } from '@temporal-kms/audit';
import { MAX_API_BODY, MAX_FILE_BODY } from '@temporal-kms/codec-api';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Access } from './access/access.ts';
import { HistoryReader } from './history/reader.ts';
import { taskQueuePollers } from './history/task-queues.ts';
import type { TextThreads } from './history/text-threads.ts';
import { forGrant } from './http/authorise.ts';
import { authorisedRoutes, type Route, routeTable } from './http/define-route.ts';
import type { Env, HttpMeter } from './http/context.ts';
import { createResponseHeaders, guard } from './http/guards.ts';
import {
  cutStalledReaders,
  defaultLimits,
  limitRequests,
  type Limits,
  limitStreams,
  shuttingDown,
} from './http/limits.ts';
import type { Account, Rates } from './http/account.ts';
import { createRateLimits } from './http/rate-limits.ts';
import { requestLog } from './http/request-log.ts';
import { errorResponse } from './http/responses.ts';
import type { BranchKeyStoreHealth } from './observability/branch-key-store.ts';
import { testKeys } from './observability/key-test.ts';
import { describedKeys, namespaceKeys } from './observability/namespace-keys.ts';
import type { KeyUsage } from './observability/key-usage.ts';
import type { KmsHealth } from './observability/kms-health.ts';
import { type ScanReports, scanReports } from './observability/scan-reports.ts';
import type { Spans } from './observability/spans.ts';
import { historyBytes, inflightBytes } from './memory-limits.ts';
import { MemoryBudget } from './memory.ts';
import { codecProtocol } from './protocol/codec-protocol.ts';
import { auditFileFor, auditRoutes } from './routes/audit.ts';
import { protocolRoutes, serveProtocol } from './routes/codec-protocol.ts';
import { historyFileRoutes, takesFileEvents } from './routes/history-files.ts';
import { grantedServices } from './routes/granted.ts';
import { historyRoutes } from './routes/history.ts';
import { keyRoutes } from './routes/keys.ts';
import type { Dashboard } from './routes/dashboard.ts';
import { healthRoute, probeRoutes, serveProbes } from './routes/monitoring.ts';
import { namespaceRoutes, readableKeys } from './routes/namespaces.ts';
import { openApiRoute } from './routes/openapi.ts';
import { runFieldsRoutes } from './routes/run-fields.ts';
import { workflowCausesRoutes } from './routes/workflow-causes.ts';
import { queryRoute } from './routes/query.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { workflowSearchRoute } from './routes/workflow-search.ts';
import { workflowRoutes } from './routes/workflows.ts';
import type { TemporalService } from './temporal/service.ts';
import { FairTurns } from './turns/fair-turns.ts';
import { inspectStored } from './history/payload-stub.ts';
import type { ServedStorage } from './storage/retrieval.ts';
import { withUsageCounting } from './audit/usage-counting.ts';

export interface AppDeps {
  readonly codec: Pick<
    KmsCodec,
    'encodeWithInfo' | 'plan' | 'decrypt' | 'inspect' | 'rules' | 'keyService' | 'keyState'
  >;
  readonly kms: Pick<KmsHealth, 'last'>;
  /** Without a store, this process does not share branch keys with other processes. */
  readonly branchKeyStore?: Pick<BranchKeyStoreHealth, 'last'> | undefined;
  /** Counts the use of keys. The counter's observer receives the codec's events. */
  readonly keyUse: KeyUsage;
  readonly emulator: boolean;
  readonly temporal: TemporalService;
  /** Reads external storage. Without this reader, routes return references to external storage unchanged. */
  readonly storage?: ServedStorage | undefined;
  readonly threads: TextThreads;
  readonly defaultNamespace: string;
  readonly access: Access;
  readonly audit: Audit;
  /** Path of the audit file. Without a path, the API cannot read the audit. */
  readonly auditFile?: string | undefined;
  /** Returns the audit's last line. */
  readonly auditHead?: () => ChainHead;
  /** The reports of `temporal-kms scan`. Without reports, the API returns keys without scan results. */
  readonly scans?: ScanReports | undefined;
  /** Without this field, the audit contains no digests of ciphertexts. */
  readonly digests?: Digests | undefined;
  /** Serves the dashboard from this origin. Without a dashboard, this server has no pages. */
  readonly dashboard?: Dashboard | undefined;
  /** Accepted `Host` headers, in lower case. */
  readonly hosts: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Prefix of every route except the probes: empty or `/…`. */
  readonly pathPrefix: string;
  readonly log: Logger;
  /** Without a meter, requests are not measured. */
  readonly meter?: HttpMeter;
  /** Without spans, requests are not traced. */
  readonly spans?: Spans | undefined;
  /** Whether this server terminates TLS itself. */
  readonly tls?: boolean;
  /** Aborted when the process shuts down: streams close with an `end` line, and new requests are rejected. */
  readonly stopping: AbortSignal;
  /** Whether the server also serves `/{namespace}/encode` and `/{namespace}/decode`. */
  readonly namespacePaths?: boolean;
  readonly limits?: Partial<Limits>;
  /** Without this field, there are no rate limits. */
  readonly rates?: Rates;
  /** Number of addresses that trusted proxies append to `X-Forwarded-For`, including the client's. Default: 0. */
  readonly proxies?: number | undefined;
  /** Memory that requests in flight share, in bytes. Default: `inflightBytes()`. */
  readonly memory?: MemoryBudget;
  /** Maximum size of the cache of raw history, in bytes. Default: `historyBytes()`. */
  readonly maxHistoryBytes?: number;
}

/**
 * Maximum memory in bytes that a codec protocol request takes for each byte of its body, see `parsePayloads`.
 */
const BODY_COST = 6;

/** Returns the whole HTTP application. Does not listen on a port, and does not read the environment. */
export function createApp(deps: AppDeps): Hono<Env> {
  const { codec, access, keyUse, temporal, log, stopping, pathPrefix, emulator, kms } = deps;
  const { rules } = codec;
  const memory = deps.memory ?? new MemoryBudget(inflightBytes());
  const largestBody = Math.min(defaultLimits.maxBody, Math.floor(memory.share / BODY_COST));
  const limits: Limits = { ...defaultLimits, maxBody: largestBody, ...deps.limits };
  const headers = createResponseHeaders(deps.corsOrigins, deps.tls);
  const serves = (namespace: string): boolean => rules.covers(namespace);
  const { storage } = deps;
  const inspect = inspectStored((payload, context) => codec.inspect(payload, context), storage);
  const apiPath = `${pathPrefix}/api`;
  const isApi = (path: string): boolean => path === apiPath || path.startsWith(`${apiPath}/`);
  const rates = createRateLimits(deps.rates ?? {}, {
    ...limits,
    limited: (limit) => deps.meter?.rateLimited(limit),
  });
  const authority = { access, audit: withUsageCounting(deps.audit, keyUse), rates };
  const run = authorisedRoutes(authority, serves);

  const granted = grantedServices({
    temporal,
    reader: new HistoryReader(temporal, { maxBytes: deps.maxHistoryBytes ?? historyBytes() }),
    pollers: taskQueuePollers(temporal),
    codec,
    storage,
  });
  const runOptions = {
    ...granted,
    threads: deps.threads,
    inspect,
    authority,
    log,
    stopping,
    admitStream: limitStreams(limits),
  };
  const keysOptions = {
    rules,
    described: describedKeys(codec),
    use: keyUse,
    keyState: (namespace: string) => codec.keyState(namespace),
    scans: deps.scans ?? scanReports(undefined),
  };
  const namespaces = { access, rules, temporal, defaultNamespace: deps.defaultNamespace };
  const { auditFile, auditHead } = deps;
  const api: readonly Route[] = [
    ...namespaceRoutes(namespaces),
    ...keyRoutes({
      describeKeys: forGrant(['metadata'], (namespace) => () => namespaceKeys(keysOptions, namespace)),
      testKeys: forGrant(
        ['decode'],
        (namespace) => () => testKeys(codec.keyService, rules.resolve(namespace)),
      ),
      audit: deps.audit,
      rates,
    }),
    ...workflowRoutes({ ...granted, access, inspect }),
    ...historyRoutes(runOptions),
    workflowSearchRoute(runOptions),
    ...runFieldsRoutes(runOptions),
    ...workflowCausesRoutes(runOptions),
    queryRoute(runOptions),
    ...scheduleRoutes(runOptions),
    ...historyFileRoutes({ ...runOptions, digests: deps.digests }),
    ...auditRoutes({
      authority,
      auditFile: auditFile === undefined ? undefined : auditFileFor(auditFile, auditHead),
      head: auditHead,
    }),
    healthRoute({
      temporal,
      kms,
      emulator,
      branchKeyStore: deps.branchKeyStore,
      readableKeys: (c) => readableKeys(namespaces, c),
    }),
    openApiRoute(pathPrefix, () => [...api, ...Object.values(protocol), ...probes]),
  ];
  const protocol = protocolRoutes(
    codecProtocol({
      codec,
      authority,
      digests: deps.digests,
      storage,
      limits,
      spans: deps.spans,
      turns: new FairTurns(),
    }),
    serves,
  );
  const probes = probeRoutes({ kms, emulator, headers, stopping });

  const app = new Hono<Env>();
  app.onError(errorResponse({ headers, log, isApi, rates }));
  app.use(requestLog(log, stopping, deps.meter, deps.spans));
  serveProbes(app, probes);
  const maxBody = (path: string): number =>
    isApi(path)
      ? Math.min(takesFileEvents(path) ? MAX_FILE_BODY : MAX_API_BODY, limits.maxBody)
      : limits.maxBody;
  const guarded = guard({ hosts: new Set(deps.hosts), headers, maxBody });
  const inTime = limitRequests(limits, stopping);
  const cutIfStalled = cutStalledReaders(limits.stalledMs);
  // One middleware does all checks, because separate middleware, with a timer per request, took a quarter of
  // a small request's time.
  app.use((c, next) => {
    if (deps.proxies !== undefined) c.set('proxies', deps.proxies);
    c.set('memory', memory);
    const preflight = guarded(c);
    if (preflight !== undefined) return Promise.resolve(preflight);
    if (stopping.aborted) throw shuttingDown();
    cutIfStalled(c);
    return inTime(async () => {
      try {
        await next();
      } finally {
        const account: Account | undefined = c.get('account');
        if (account !== undefined) rates.leave(account);
      }
    });
  });
  app.all(`${apiPath}/*`, routeTable(api, pathPrefix, run));
  const others = serveProtocol(protocol, { pathPrefix, namespacePaths: deps.namespacePaths ?? false }, run);
  app.all('/*', (c) => deps.dashboard?.(c, access) ?? others(c));
  return app;
}
