import { serve } from '@hono/node-server';
import {
  answerOptions,
  loadConfigOrExit,
  loadTemporalConfig,
  listUnknown,
  printableConfig,
  unknownVariables,
  workerEnvironment,
} from '@temporal-kms/config';
import { combineObservers, createKmsCodec, renewedMeter, reportMetrics } from '@temporal-kms/kms-codec';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { KmsWorkerPlugin, runWorker } from '@temporal-kms/worker-kit';
import { catchFatalErrors, outageObserver } from '@temporal-kms/worker-kit/logging';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { loadCode, type WorkerCode } from './code.ts';
import { logConsole } from './console.ts';
import { createHealthApp } from './health.ts';
import { createLog, installRuntime, writeTo } from './log.ts';
import { version } from './version.ts';
import { createWorker, isBuilt } from './worker.ts';

answerOptions({
  about:
    'Temporal worker whose payloads are encrypted under Cloud KMS. `start --help` explains how to start its samples.',
  version,
  environment: workerEnvironment,
});
const config = loadConfigOrExit(workerEnvironment);
const { taskQueue, health, metrics, logLevel, kms, shutdownGraceSeconds } = config;
const log = createLog(logLevel);
const write = writeTo(log);
logConsole(write);
const { connectionOptions, namespace } = await orExit(() => loadTemporalConfig());
log.info({ version, config: printableConfig(workerEnvironment) }, 'Worker starting');
const unknown = unknownVariables(workerEnvironment);
if (unknown.length > 0) {
  log.warn(
    { variables: listUnknown(unknown) },
    'Unknown environment variables; check their names against --help',
  );
}
if (kms.keysFileDigest !== undefined) {
  log.info({ file: process.env['KMS_KEYS_FILE'], sha256: kms.keysFileDigest }, 'keys file in use');
}
const kmsEmulator = kms.emulatorHost !== undefined;
if (kmsEmulator) {
  // Logs this warning at every start, even if LOG_LEVEL excludes warnings.
  log
    .child({}, { level: 'warn' })
    .warn(
      { emulator: kms.emulatorHost },
      'KMS_EMULATOR_HOST is set: keys come from the emulator, which protects nothing',
    );
}

catchFatalErrors(installRuntime(log, metrics));
// Gets a new meter after the last connection is closed, because this ends the Runtime and its meter, even
// while the worker waits for Cloud KMS.
const meter = renewedMeter(() => Runtime.instance().metricMeter);
meter
  .createGauge(
    'codec_worker_build_info',
    'int',
    undefined,
    'Always 1; the label is the version of the worker',
  )
  .set(1, { version });
const reported = reportMetrics(meter);
const observer = combineObservers(outageObserver(write), reported.observer);
const codec = createKmsCodec(kms, { namespace, observer });
reported.follow(codec, [namespace]);
const plugin = new KmsWorkerPlugin(codec);
const code = await orExit(() => codeOf(config.code));
const worker = runWorker({
  codec,
  namespace,
  write,
  connect: () => NativeConnection.connect(connectionOptions),
  createWorker: (connection) =>
    createWorker({ connection, namespace, taskQueue, code, plugins: [plugin], shutdownGraceSeconds }),
});
reported.followWorker(worker);

const app = createHealthApp({ readiness: () => worker.readiness(), taskQueue, namespace, kmsEmulator });
const server = serve({ fetch: app.fetch, hostname: health.host, port: health.port }, ({ address, port }) =>
  log.info({ address, port }, 'Health endpoints listening'),
);
server.on('error', (error: NodeJS.ErrnoException) => {
  const inUse = `Port ${health.port} is in use. Set WORKER_HEALTH_PORT to another port.`;
  log.fatal(error.code === 'EADDRINUSE' ? inUse : `The health endpoints cannot listen: ${error.message}`);
  process.exit(1);
});

async function codeOf(path: string | undefined): Promise<WorkerCode | undefined> {
  if (path === undefined) return undefined;
  const { code: loaded, options } = await loadCode(path, { namespace, taskQueue, hasCompiler: !isBuilt });
  // Fails if the workflow bundle would store failures in plaintext. Without this check, runWorker would retry
  // forever.
  plugin.configureWorker(options);
  log.info({ file: path }, 'Worker code loaded');
  return loaded;
}

/** Ends the process with status 78 (wrong configuration) if `load` throws. */
async function orExit<T>(load: () => T | Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    log.fatal(messageOf(error));
    process.exit(78);
  }
}
