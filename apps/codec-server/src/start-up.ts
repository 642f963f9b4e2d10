import type { OpenAudit } from '@temporal-kms/audit';
import { StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import type { Logger } from 'pino';
import { type Access, openAccess, reloadableAccess } from './access/access.ts';
import { accessLoader, type PolicyFileOptions } from './access/policy-access.ts';
import { codeOf, messageOf } from './errors.ts';
import { startTextThreads, type TextThreads } from './history/text-threads.ts';
import { type Dashboard, type DashboardOptions, openDashboard } from './routes/dashboard.ts';
import type { RunningServer } from './server/listen.ts';
import { readTlsPair, type TlsFiles, type TlsPair, type TlsWatch, watchTlsPair } from './server/tls.ts';
import { connectTemporal } from './temporal/service.ts';
import { openAudit, type OpenAuditOptions } from './audit/open-audit.ts';
import { ObjectStorage, readStorageFile } from '@temporal-kms/payload-storage';

/** `EX_CONFIG` of sysexits.h, as for an invalid environment variable. */
const EXIT_CONFIG = 78;

function exit(status: number, message: string): never {
  process.stderr.write(`${message}\n`);
  return process.exit(status);
}

/** Returns a function that reloads a file. If the file has a mistake, its previous content stays in force. */
const reloading = (file: string, log: Logger, load: () => void) => (): void => {
  try {
    load();
    log.info(`${file} reloaded`);
  } catch (error) {
    log.error({ reason: messageOf(error) }, `${file} not reloaded; the previous ${file} stays in force`);
  }
};

/** Loads the policy. A mistake in the policy ends the process at startup. */
export function accessOrExit(
  policyFile: string | undefined,
  options: PolicyFileOptions,
): { readonly access: Access; readonly reload: () => void } {
  if (policyFile === undefined) return { access: openAccess, reload: () => undefined };
  try {
    const access = reloadableAccess(accessLoader(policyFile, options));
    return { access, reload: reloading('policy', options.log, () => access.reload()) };
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    return exit(EXIT_CONFIG, error.message);
  }
}

/**
 * Resolves to the result of `make`, or exits the process with the error.
 * @param what prefix of the message, which names what failed
 */
async function orExit<T>(make: () => T | Promise<T>, what = ''): Promise<T> {
  try {
    return await make();
  } catch (error) {
    return exit(EXIT_CONFIG, `${what}${messageOf(error)}`);
  }
}

/**
 * Creates the connection to Temporal, which connects on first use. The earlier check of the environment has
 * not read the client's profile and certificates.
 */
export const connectOrExit = (): Promise<ReturnType<typeof connectTemporal>> => orExit(connectTemporal);

export const auditOrExit = (options: OpenAuditOptions): Promise<OpenAudit> =>
  orExit(() => openAudit(options), 'The audit (AUDIT_FILE, AUDIT_DIGEST_KEY_FILE) cannot be written: ');

/** Reads the file that names the external storage of each namespace. Connects to no storage. */
export async function storageOrExit(
  file: string,
  log: Logger,
): Promise<{ readonly objects: ObjectStorage; readonly reload: () => void }> {
  const load = () => readStorageFile(file, 'CODEC_STORAGE_FILE');
  const objects = await orExit(() => new ObjectStorage(load()));
  return { objects, reload: reloading('storage file', log, () => objects.use(load())) };
}

/**
 * Starts the worker threads for large payloads. The threads' code is in a separate file next to the server's
 * bundle, and that file may be missing.
 */
export const textThreadsOrExit = (): Promise<TextThreads> =>
  orExit(
    startTextThreads,
    'Install text-worker.mjs next to main.mjs: the worker threads for large payloads cannot start: ',
  );

export const dashboardOrExit = (
  options: Omit<DashboardOptions, 'pathPrefix'>,
  pathPrefix: string,
): Promise<Dashboard> =>
  orExit(
    () => openDashboard({ ...options, pathPrefix }),
    'The dashboard (CODEC_DASHBOARD_DIR) cannot be served: ',
  );

export const tlsPairOrExit = (files: TlsFiles): Promise<TlsPair> =>
  orExit(() => readTlsPair(files), 'CODEC_TLS_CERT_FILE, CODEC_TLS_KEY_FILE: ');

export const followTlsFiles = (
  files: TlsFiles,
  first: TlsPair,
  server: RunningServer,
  log: Logger,
): TlsWatch =>
  watchTlsPair(first, {
    ...files,
    changed: (pair) => {
      server.useCertificate(pair);
      log.info('TLS certificate reloaded');
    },
    failed: ({ message }) =>
      log.error({ reason: message }, 'TLS certificate not reloaded; the previous certificate stays in use'),
  });

export const exitListening =
  ({ host, port }: { readonly host: string; readonly port: number }, variable: string) =>
  (error: unknown): never =>
    exit(1, `Cannot listen on ${host}:${port}: ${portProblem(error, variable)}`);

function portProblem(error: unknown, variable: string): string {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return `the port is in use; choose another with ${variable}`;
  if (code === 'EACCES') return `the process may not listen on this port; choose another with ${variable}`;
  return messageOf(error);
}
