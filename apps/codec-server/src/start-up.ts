import { StrictYamlError } from '@temporal-kms/kms-codec/strict-yaml';
import type { Logger } from 'pino';
import { type Access, openAccess } from './access/access.ts';
import { accessLoader, type PolicyFileOptions } from './access/load.ts';
import { reloadableAccess } from './access/reloadable.ts';
import { openAudit, type OpenAudit, type OpenAuditOptions } from './audit/open.ts';
import { codeOf, messageOf } from './errors.ts';
import { startTextThreads, type TextThreads } from './history/text-threads.ts';
import type { RunningServer } from './server/listen.ts';
import { readTlsPair, type TlsFiles, type TlsPair, type TlsWatch, watchTlsPair } from './server/tls.ts';
import { connectTemporal } from './temporal/service.ts';

/** `EX_CONFIG` of sysexits.h, as for a wrong variable. */
const EXIT_CONFIG = 78;

function exit(status: number, message: string): never {
  process.stderr.write(`${message}\n`);
  return process.exit(status);
}

/** The policy's access. A mistake in it ends a start, and changes nothing later. */
export function accessOrExit(
  policyFile: string | undefined,
  options: PolicyFileOptions,
): { readonly access: Access; readonly reload: () => void } {
  if (policyFile === undefined) return { access: openAccess, reload: () => undefined };
  const { log } = options;
  try {
    const access = reloadableAccess(accessLoader(policyFile, options));
    const reload = (): void => {
      try {
        access.reload();
        log.info('the policy was read again');
      } catch (error) {
        log.error(
          { reason: messageOf(error) },
          'the policy was not read again; the one before stays in force',
        );
      }
    };
    return { access, reload };
  } catch (error) {
    if (!(error instanceof StrictYamlError)) throw error;
    return exit(EXIT_CONFIG, error.message);
  }
}

/** Profiles and certificates are files, which the check of the environment doesn't read. */
export function connectOrExit(): ReturnType<typeof connectTemporal> {
  try {
    return connectTemporal();
  } catch (error) {
    return exit(
      EXIT_CONFIG,
      `Temporal's configuration (TEMPORAL_*, profile file) is wrong: ${messageOf(error)}`,
    );
  }
}

export async function auditOrExit(options: OpenAuditOptions): Promise<OpenAudit> {
  try {
    return await openAudit(options);
  } catch (error) {
    return exit(
      EXIT_CONFIG,
      `The audit (AUDIT_FILE, AUDIT_DIGEST_KEY_FILE) can't be written: ${messageOf(error)}`,
    );
  }
}

/** The threads for large payloads, whose file is not part of the server's own. */
export function textThreadsOrExit(): TextThreads {
  try {
    return startTextThreads();
  } catch (error) {
    return exit(
      EXIT_CONFIG,
      `The worker threads for large payloads can't start: ${messageOf(error)}. Install text-worker.mjs next to main.mjs.`,
    );
  }
}

export async function tlsPairOrExit(files: TlsFiles): Promise<TlsPair> {
  try {
    return await readTlsPair(files);
  } catch (error) {
    return exit(EXIT_CONFIG, `CODEC_TLS_CERT_FILE, CODEC_TLS_KEY_FILE: ${messageOf(error)}`);
  }
}

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
      log.info('the TLS certificate was read again');
    },
    refused: ({ message }) => log.error({ reason: message }, 'the TLS certificate was not read again'),
  });

export const exitListening =
  ({ host, port }: { readonly host: string; readonly port: number }, variable: string) =>
  (error: unknown): never =>
    exit(1, `Can't listen on ${host}:${port}: ${portProblem(error, variable)}`);

function portProblem(error: unknown, variable: string): string {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return `the port is taken; ${variable} chooses another`;
  if (code === 'EACCES') return `this port needs more rights; ${variable} chooses another`;
  return messageOf(error);
}
