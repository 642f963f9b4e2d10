import { setTimeout as delay } from 'node:timers/promises';
import {
  codecServerEnvironment,
  describeEnvironment,
  loadConfigOrExit,
  printableConfig,
} from '@temporal-kms/config';
import { createKmsCodec } from '@temporal-kms/kms-codec';
import { type Logger, pino } from 'pino';
import { type Access, openAccess } from './access/access.ts';
import { loadAccess } from './access/load.ts';
import { PolicyError } from './access/policy/read.ts';
import { reloadableAccess } from './access/reloadable.ts';
import { createApp } from './app.ts';
import { countBuffersAsHeap } from './memory.ts';
import { watchKeyUse } from './keys/key-use.ts';
import { watchKms } from './kms-watch.ts';
import { observeAll } from './observers.ts';
import { metricsApp } from './metrics/app.ts';
import { createMetrics } from './metrics/metrics.ts';
import { listen } from './server.ts';
import { auditOrExit, exitListening, followTlsFiles, reasonOf, tlsPairOrExit } from './start-up.ts';
import { standardOutput } from './standard-output.ts';
import { connectTemporal } from './temporal/connect.ts';
import { createTemporalService } from './temporal/service.ts';

const SHUTDOWN_MS = 10_000;
const SETTLE_MS = 2_000;
/** Cloud KMS calls at the same time for one namespace: what one caller asks for must not use up its quota. */
const KMS_CALLS = 16;

if (process.argv.includes('--help')) {
  process.stdout.write(
    `Temporal's codec protocol (/encode, /decode) and a history API over decrypted payloads.\n\n` +
      `Usage: main [--help]\n\nEnvironment:\n${describeEnvironment(codecServerEnvironment)}\n`,
  );
} else {
  await start();
}

async function start(): Promise<void> {
  countBuffersAsHeap();
  const config = loadConfigOrExit(codecServerEnvironment);
  const output = standardOutput();
  const log = pino({ level: config.logLevel, base: null }, output.log);
  const { connection, namespace, address } = connectOrExit();
  const kms = watchKms();
  const keyUse = watchKeyUse();
  const { rules } = config.kms;
  const metrics = createMetrics((name) => rules.isNamed(name) || name === namespace);
  const codec = createKmsCodec(config.kms, {
    observer: observeAll(kms.observer, metrics.observer, keyUse.observer),
    limits: { callsInFlight: KMS_CALLS },
  });
  const access = accessOrExit(config.policyFile, log);
  const audit = await auditOrExit({ file: config.auditFile, output, log, failed: metrics.auditFailed });
  const pair = config.tls && (await tlsPairOrExit(config.tls));
  const stopping = new AbortController();
  const emulator = config.kms.emulatorHost !== undefined;

  const measured =
    config.metrics &&
    (await listen({
      ...config.metrics,
      app: () => metricsApp(metrics, { kms, emulator, stopping: stopping.signal }),
    }).catch(exitListening(config.metrics, 'CODEC_METRICS_PORT')));

  const server = await listen({
    host: config.host,
    port: config.port,
    tls: pair,
    app: (port) =>
      createApp({
        codec,
        kms,
        keyUse,
        emulator,
        temporal: createTemporalService(connection),
        defaultNamespace: namespace,
        access,
        audit: audit.audit,
        auditFile: config.auditFile,
        hosts: config.allowedHosts ?? loopbackHosts(config.host, port),
        corsOrigins: config.corsOrigins,
        pathPrefix: config.pathPrefix,
        namespacePaths: config.namespacePaths,
        limits: config.limits,
        log,
        meter: metrics,
        tls: pair !== undefined,
        stopping: stopping.signal,
      }),
  }).catch(exitListening(config, 'CODEC_PORT'));

  log.info(printableConfig(codecServerEnvironment), 'configuration');
  if (config.policyFile === undefined) {
    log.warn(
      'AUTH=none: whoever can open a connection on this machine can read plaintext; listening on loopback only',
    );
  }
  if (emulator) {
    log.warn('KMS_EMULATOR_HOST is set: keys come from an emulator, and nothing is protected by Google');
  }
  log.info(
    {
      url: `${pair ? 'https' : 'http'}://${urlHost(config.host)}:${server.port}`,
      ...(measured &&
        config.metrics && { metrics: `http://${urlHost(config.metrics.host)}:${measured.port}/metrics` }),
      temporal: address,
      namespace,
    },
    'listening',
  );

  const tls = config.tls && pair && followTlsFiles(config.tls, pair, server, log);
  process.on('SIGHUP', () => {
    audit.reopen();
    void tls?.check();
  });

  const stop = async (signal: string): Promise<void> => {
    // A terminal sends Ctrl-C to the whole group, and turbo passes it on: it may come twice.
    if (stopping.signal.aborted) return;
    log.info({ signal }, 'stopping');
    stopping.abort();
    tls?.stop();
    await server.close(SHUTDOWN_MS);
    // What was cut off has its outcome yet to be written.
    await Promise.race([audit.audit.settled(), delay(SETTLE_MS, undefined, { ref: false })]);
    await Promise.all([measured?.close(0), codec.close(), connection.close(), audit.close()]);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
}

/** The policy's access, read again on SIGHUP; a mistake in it ends a start, and changes nothing later. */
function accessOrExit(policyFile: string | undefined, log: Logger): Access {
  if (policyFile === undefined) return openAccess;
  try {
    const access = reloadableAccess(() => loadAccess(policyFile, log));
    process.on('SIGHUP', () => {
      try {
        access.reload();
        log.info('the policy was read again');
      } catch (error) {
        log.error(
          { reason: reasonOf(error) },
          'the policy was not read again; the one before stays in force',
        );
      }
    });
    return access;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(78);
  }
}

/** Profiles and certificates are files, which the check of the environment doesn't read. */
function connectOrExit(): ReturnType<typeof connectTemporal> {
  try {
    return connectTemporal();
  } catch (error) {
    process.stderr.write(
      `Temporal's configuration (TEMPORAL_*, profile file) is wrong: ${reasonOf(error)}\n`,
    );
    return process.exit(78);
  }
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function loopbackHosts(host: string, port: number): string[] {
  return ['127.0.0.1', 'localhost', '[::1]', urlHost(host)].map((name) => `${name}:${port}`);
}
