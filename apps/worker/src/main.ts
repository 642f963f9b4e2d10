import { serve } from '@hono/node-server';
import { answerHelp, loadConfigOrExit, printableConfig, workerEnvironment } from '@temporal-kms/config';
import { createKmsCodec, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { catchFatalErrors } from '@temporal-kms/kms-codec/worker-logging';
import { connectToTemporal, warmCodec } from './connect.ts';
import { messageOf } from './errors.ts';
import { createHealthApp, initialStatus } from './health.ts';
import { createLog, installRuntime, logObserver } from './log.ts';
import { superviseWorker } from './supervisor.ts';
import { loadTemporalConfig, type TemporalConfig } from './temporal-config.ts';
import { createWorker } from './worker.ts';

answerHelp(
  'Temporal worker whose payloads are encrypted under Cloud KMS. `start --help` explains how to start its samples.',
  workerEnvironment,
);
const { taskQueue, health, logLevel, kms, shutdownGraceSeconds } = loadConfigOrExit(workerEnvironment);
const log = createLog(logLevel);
const { connectionOptions, namespace } = temporalConfigOrExit();
log.info({ config: printableConfig(workerEnvironment) }, 'Worker starting');
if (kms.keysFileDigest !== undefined) {
  log.info({ file: process.env['KMS_KEYS_FILE'], sha256: kms.keysFileDigest }, 'keys file in force');
}
const kmsEmulator = kms.emulatorHost !== undefined;
if (kmsEmulator) {
  // Logged at every start, even if LOG_LEVEL excludes warnings.
  log
    .child({}, { level: 'warn' })
    .warn(
      { emulator: kms.emulatorHost },
      'KMS_EMULATOR_HOST is set: keys come from the emulator, which protects nothing',
    );
}

const status = initialStatus();
const stopping = new AbortController();
const { signal } = stopping;
// Turborepo and `node --watch` deliver a signal twice. The second one has no effect.
const stop = (name: NodeJS.Signals) => {
  if (signal.aborted) return;
  log.info({ signal: name }, 'Worker stopping: running activities can still complete');
  status.phase = 'stopping';
  stopping.abort();
};
process.on('SIGINT', stop).on('SIGTERM', stop);

const app = createHealthApp({ status, taskQueue, namespace, kmsEmulator });
const server = serve({ fetch: app.fetch, hostname: health.host, port: health.port }, ({ address, port }) =>
  log.info({ address, port }, 'Health endpoints listening'),
);
server.on('error', (error: NodeJS.ErrnoException) => {
  const inUse = `Port ${health.port} is in use. Set WORKER_HEALTH_PORT to another port.`;
  log.fatal(error.code === 'EADDRINUSE' ? inUse : `The health endpoints cannot listen: ${error.message}`);
  process.exit(1);
});

catchFatalErrors(installRuntime(log));
const codec = createKmsCodec(kms, { namespace, observer: logObserver(log) });
let graceful = true;
try {
  await warmCodec(codec, namespace, { signal, status, log });
  const plugins = [new KmsCodecPlugin(codec)];
  graceful = await superviseWorker({
    connect: () => connectToTemporal(connectionOptions, { signal, status, log }),
    createWorker: (connection) =>
      createWorker({ connection, namespace, taskQueue, plugins, shutdownGraceSeconds }),
    signal,
    status,
    log,
  });
} catch (error) {
  if (!signal.aborted) throw error;
}
await codec.close();
server.close();
log.info('Worker stopped');
process.exitCode = graceful ? 0 : 1;

function temporalConfigOrExit(): TemporalConfig {
  try {
    return loadTemporalConfig(process.env);
  } catch (error) {
    log.fatal(messageOf(error));
    process.exit(78);
  }
}
