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
import { createAudit } from './audit/audit.ts';
import { auditSink } from './audit/sink.ts';
import { watchKms } from './kms-watch.ts';
import { listen } from './server.ts';
import { connectTemporal } from './temporal/connect.ts';
import { createTemporalService } from './temporal/service.ts';

const SHUTDOWN_MS = 10_000;
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
  const config = loadConfigOrExit(codecServerEnvironment);
  const log = pino({ level: config.logLevel, base: null });
  const kms = watchKms();
  const codec = createKmsCodec(config.kms, { observer: kms.observer, limits: { callsInFlight: KMS_CALLS } });
  const access = accessOrExit(config.policyFile, log);
  const { connection, namespace, address } = connectOrExit();
  const audit = createAudit(auditSink((line, written) => process.stdout.write(line, written)));
  const stopping = new AbortController();

  const server = await listen({
    host: config.host,
    port: config.port,
    app: (port) =>
      createApp({
        codec,
        kms,
        emulator: config.kms.emulatorHost !== undefined,
        temporal: createTemporalService(connection),
        defaultNamespace: namespace,
        access,
        audit,
        hosts: config.allowedHosts ?? loopbackHosts(config.host, port),
        corsOrigins: config.corsOrigins,
        pathPrefix: config.pathPrefix,
        namespacePaths: config.namespacePaths,
        limits: config.limits,
        log,
        stopping: stopping.signal,
      }),
  }).catch((error: unknown) => {
    process.stderr.write(`Can't listen on ${config.host}:${config.port}: ${reasonOf(error)}\n`);
    return process.exit(1);
  });

  log.info(printableConfig(codecServerEnvironment), 'configuration');
  if (config.policyFile === undefined) {
    log.warn(
      'AUTH=none: whoever can open a connection on this machine can read plaintext; listening on loopback only',
    );
  }
  if (config.kms.emulatorHost !== undefined) {
    log.warn('KMS_EMULATOR_HOST is set: keys come from an emulator, and nothing is protected by Google');
  }
  log.info(
    { url: `http://${urlHost(config.host)}:${server.port}`, temporal: address, namespace },
    'listening',
  );

  const stop = async (signal: string): Promise<void> => {
    // A terminal sends Ctrl-C to the whole group, and turbo passes it on: it may come twice.
    if (stopping.signal.aborted) return;
    log.info({ signal }, 'stopping');
    stopping.abort();
    await server.close(SHUTDOWN_MS);
    await Promise.all([codec.close(), connection.close()]);
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

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'the port is taken; CODEC_PORT chooses another';
  if (code === 'EACCES') return 'this port needs more rights; CODEC_PORT chooses another';
  return error instanceof Error ? error.message : String(error);
}
