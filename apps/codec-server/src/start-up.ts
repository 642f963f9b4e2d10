import type { Logger } from 'pino';
import { openAudit, type OpenAudit, type OpenAuditOptions } from './audit/open.ts';
import type { RunningServer } from './server.ts';
import { readTlsPair, type TlsFiles, type TlsPair, type TlsWatch, watchTlsPair } from './tls.ts';

/** `EX_CONFIG` of sysexits.h, as for a wrong variable. */
const EXIT_CONFIG = 78;

export async function auditOrExit(options: OpenAuditOptions): Promise<OpenAudit> {
  try {
    return await openAudit(options);
  } catch (error) {
    process.stderr.write(`AUDIT_FILE can't be opened for appending: ${reasonOf(error)}\n`);
    return process.exit(EXIT_CONFIG);
  }
}

export async function tlsPairOrExit(files: TlsFiles): Promise<TlsPair> {
  try {
    return await readTlsPair(files);
  } catch (error) {
    process.stderr.write(`CODEC_TLS_CERT_FILE, CODEC_TLS_KEY_FILE: ${reasonOf(error)}\n`);
    return process.exit(EXIT_CONFIG);
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
  (error: unknown): never => {
    process.stderr.write(`Can't listen on ${host}:${port}: ${reasonOf(error, variable)}\n`);
    return process.exit(1);
  };

export function reasonOf(error: unknown, variable = 'CODEC_PORT'): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `the port is taken; ${variable} chooses another`;
  if (code === 'EACCES') return `this port needs more rights; ${variable} chooses another`;
  return error instanceof Error ? error.message : String(error);
}
