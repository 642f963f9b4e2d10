import { setTimeout as delay } from 'node:timers/promises';
import {
  answerOptions,
  codecServerEnvironment,
  isLoopback,
  listUnknown,
  loadConfigOrExit,
  printableConfig,
  unknownVariables,
} from '@temporal-kms/config';
import { combineObservers, createKmsCodec } from '@temporal-kms/kms-codec';
import { createApp } from './app.ts';
import { commandList, exitAfterCommand } from './audit/commands.ts';
import { messageOf } from './errors.ts';
import { watchBranchKeyStore } from './observability/branch-key-store.ts';
import { watchKeyStates } from './observability/key-states.ts';
import { createKeyUsage } from './observability/key-usage.ts';
import { CALLS_IN_FLIGHT, kmsCharges } from './observability/kms-calls.ts';
import { watchKms } from './observability/kms-health.ts';
import { createLog, standardOutput } from './observability/log.ts';
import { countBuffersAsHeap } from './memory-collection.ts';
import { inflightBytes } from './memory-limits.ts';
import { MemoryBudget } from './memory.ts';
import { createMetrics } from './observability/metrics.ts';
import { scanReports } from './observability/scan-reports.ts';
import type { Tracing, TracingOptions } from './observability/tracing.ts';
import { metricsApp } from './routes/monitoring.ts';
import { listen } from './server/listen.ts';
import { requireModernTls } from './server/tls.ts';
import {
  accessOrExit,
  auditOrExit,
  connectOrExit,
  dashboardOrExit,
  exitListening,
  followTlsFiles,
  storageOrExit,
  textThreadsOrExit,
  tlsPairOrExit,
} from './start-up.ts';
import { createTemporalService } from './temporal/service.ts';
import { version } from './version.ts';

/**
 * After a shutdown begins, requests in flight have `SHUTDOWN_MS` to complete. The audit then has
 * `SETTLE_MS` to write its last lines.
 */
const SHUTDOWN_MS = 10_000;
const SETTLE_MS = 2_000;

await exitAfterCommand();
answerOptions({
  about: "Temporal's codec protocol (/encode, /decode) and a history API over decrypted payloads.",
  version,
  environment: codecServerEnvironment,
  commands: commandList,
});
await start();

async function start(): Promise<void> {
  countBuffersAsHeap();
  requireModernTls();
  const config = loadConfigOrExit(codecServerEnvironment);
  const output = standardOutput();
  const log = createLog(config.logLevel, output.log);
  const { connection, namespace, address } = await connectOrExit();
  const kms = watchKms({ log });
  const keyUse = createKeyUsage();
  const { rules } = config.kms;
  const memory = new MemoryBudget(config.maxInflightBytes ?? inflightBytes());
  const metrics = createMetrics(memory);
  const store = config.kms.openBranchKeyStore?.();
  const branchKeyStore = store && watchBranchKeyStore();
  const named = new Set([...rules.namespaces, namespace].filter((name) => rules.covers(name)));
  const tracing = config.tracing && (await startedTracing({ ...config.tracing, named, log }));
  const observers = [
    kms,
    metrics.codec,
    keyUse,
    ...(branchKeyStore ? [branchKeyStore] : []),
    ...(tracing ? [tracing.spans] : []),
  ];
  const codec = createKmsCodec(
    { ...config.kms, openBranchKeyStore: () => store },
    {
      observer: combineObservers(...observers.map(({ observer }) => observer), kmsCharges),
      limits: { callsInFlight: CALLS_IN_FLIGHT },
    },
  );
  metrics.codec.follow(codec, [...named]);
  const { access, reload } = accessOrExit(config.policyFile, {
    log,
    canDecrypt: (name) => rules.canDecrypt(name),
  });
  const audit = await auditOrExit({
    file: config.auditFile,
    output: output.append,
    fsync: config.auditFsync,
    digestKeyFile: config.auditDigestKeyFile,
    log,
    failed: metrics.auditFailed,
  });
  const storage = config.storageFile === undefined ? undefined : await storageOrExit(config.storageFile, log);
  const threads = await textThreadsOrExit();
  const dashboard = config.dashboard && (await dashboardOrExit(config.dashboard, config.pathPrefix));
  metrics.followAudit(audit.head);
  const pair = config.tls && (await tlsPairOrExit(config.tls));
  const stopping = new AbortController();
  const emulator = config.kms.emulatorHost !== undefined;

  const { metrics: metricsPort } = config;
  const keyStates = metricsPort && watchKeyStates({ keys: rules.keys, keyService: codec.keyService, log });
  if (keyStates) metrics.followKeyStates(keyStates.latest);
  const scans = scanReports(config.scanReportFile, (message, detail) => log.info(detail, message));
  if (config.scanReportFile !== undefined) metrics.followScans(scans);
  const metricsServer =
    metricsPort &&
    (await listen({
      host: metricsPort.host,
      port: metricsPort.port,
      app: (port) =>
        metricsApp(metrics, {
          hosts: metricsPort.allowedHosts ?? loopbackHosts(metricsPort.host, port),
          kms,
          emulator,
          stopping: stopping.signal,
          log,
        }),
    }).catch(exitListening(metricsPort, 'CODEC_METRICS_PORT')));

  const server = await listen({
    host: config.host,
    port: config.port,
    tls: pair,
    app: (port) =>
      createApp({
        codec,
        kms,
        branchKeyStore,
        keyUse,
        emulator,
        temporal: createTemporalService(connection, log),
        storage: storage && { objects: storage.objects, meter: metrics.storage },
        threads,
        defaultNamespace: namespace,
        access,
        audit: audit.audit,
        auditFile: config.auditFile,
        auditHead: audit.head,
        digests: audit.digests,
        scans,
        dashboard,
        hosts: config.allowedHosts ?? loopbackHosts(config.host, port),
        corsOrigins: config.corsOrigins,
        pathPrefix: config.pathPrefix,
        namespacePaths: config.namespacePaths,
        limits: config.limits,
        rates: config.rates,
        memory,
        proxies: config.proxies,
        log,
        meter: metrics,
        spans: tracing?.spans,
        tls: pair !== undefined,
        stopping: stopping.signal,
      }),
  }).catch(exitListening(config, 'CODEC_PORT'));

  log.info({ ...printableConfig(codecServerEnvironment), version }, 'configuration');
  const { keysFileDigest } = config.kms;
  if (keysFileDigest !== undefined) {
    log.info({ file: process.env['KMS_KEYS_FILE'], sha256: keysFileDigest }, 'keys file in use');
  }
  const unknown = unknownVariables(codecServerEnvironment);
  if (unknown.length > 0) {
    log.warn(
      { variables: listUnknown(unknown) },
      'unknown environment variables; check their names against --help',
    );
  }
  if (!isLoopback(config.host) && config.allowedHosts === undefined) {
    log.warn('CODEC_ALLOWED_HOSTS is not set: only requests to a loopback name are accepted');
  }
  if (config.policyFile === undefined) {
    log.warn(
      'AUTH=none: every process on this machine that can connect can read plaintext; listening on loopback only',
    );
  }
  if (emulator) {
    log.warn('KMS_EMULATOR_HOST is set: keys come from the emulator, which protects nothing');
  }
  log.info(
    {
      url: `${pair ? 'https' : 'http'}://${urlHost(config.host)}:${server.port}`,
      ...(metricsServer &&
        metricsPort && { metrics: `http://${urlHost(metricsPort.host)}:${metricsServer.port}/metrics` }),
      temporal: address,
      namespace,
    },
    'listening',
  );

  const tls = config.tls && pair && followTlsFiles(config.tls, pair, server, log);
  process.on('SIGHUP', () => {
    reload();
    storage?.reload();
    audit.reopen();
    void tls?.check();
  });

  const stop = async (signal: string): Promise<void> => {
    // The signal may arrive twice: a terminal sends it to the whole process group after Ctrl-C, and turbo
    // forwards it too.
    if (stopping.signal.aborted) return;
    log.info({ signal }, 'stopping');
    stopping.abort();
    tls?.stop();
    keyStates?.stop();
    await server.close(SHUTDOWN_MS);
    // Waits for requests that were cut off, because they still write their audit outcomes.
    await Promise.race([audit.audit.settled(), delay(SETTLE_MS, undefined, { ref: false })]);
    let isExporting = false;
    const exported = tracing?.shutdown();
    const results = await Promise.allSettled([
      metricsServer?.close(0),
      threads.close(),
      storage?.objects.close(),
      codec.close(),
      connection.close(),
      audit.close(),
      exported &&
        Promise.race([
          exported,
          delay(SETTLE_MS, undefined, { ref: false }).then(() => (isExporting = true)),
        ]),
    ]);
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      log.error({ reason: messageOf(result.reason) }, 'shutdown incomplete');
      process.exitCode = 1;
    }
    // Exits now, because an export in flight would keep the process alive until the exporter's own time limit
    // (10 s).
    if (isExporting) process.exit();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
}

async function startedTracing(options: TracingOptions): Promise<Tracing> {
  const { startTracing } = await import('./observability/tracing.ts');
  return startTracing(options);
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function loopbackHosts(host: string, port: number): string[] {
  return ['127.0.0.1', 'localhost', '[::1]', urlHost(host)].map((name) => `${name}:${port}`);
}
