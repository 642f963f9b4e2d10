import type { AuditedCaller, OpenAudit } from '@temporal-kms/audit';
import type { AuditConfig } from '@temporal-kms/config';
import { createKmsCodec, type KmsCodec, KmsCodecError, type KmsSettings } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import type { Output } from '../cli/output.ts';
import { connectGoogle } from '../google/client.ts';
import { callerOf, openFileAudit } from './file-audit.ts';

interface DecryptionOptions {
  readonly kms: KmsSettings & { readonly emulatorHost?: string | undefined };
  readonly auditFile: AuditConfig;
  readonly namespace: string;
}

interface OpenDecryption {
  readonly codec: KmsCodec;
  readonly audit: OpenAudit;
  readonly caller: AuditedCaller;
}

/**
 * Opens the audit and the codec of a namespace, calls `use` with them, and closes them.
 * @throws CliError without an audit file
 */
export async function withDecryption<T>(
  { kms, auditFile, namespace }: DecryptionOptions,
  output: Output,
  use: (opened: OpenDecryption) => Promise<T>,
): Promise<T> {
  const audit = await openFileAudit(auditFile, output);
  const { openBranchKeyStore: _, ...withoutStore } = kms;
  const codec = createKmsCodec(withoutStore, { namespace });
  try {
    return await use({ codec, audit, caller: callerOf(await accountOf(kms.emulatorHost, output)) });
  } finally {
    await codec.close();
    await audit.close();
  }
}

/** @throws CliError if the configuration has no keys for the namespace */
export function checkNamespace({ rules }: KmsSettings, namespace: string): void {
  try {
    rules.resolve(namespace);
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    throw new CliError('configuration', `${error.message} (${error.code})`, [], error);
  }
}

/** Returns the service account of the credentials, for the audit. A person's credentials name none. */
async function accountOf(emulatorHost: string | undefined, output: Output): Promise<string | undefined> {
  const google = await connectGoogle(emulatorHost, output);
  try {
    return await google.identity();
  } finally {
    await google.close();
  }
}

/** The message of an unexpected error may quote what was decrypted. */
export const withoutContent = (error: unknown): CliError =>
  error instanceof CliError
    ? error
    : new CliError(
        'internal',
        `An unexpected error ended the decryption: ${error instanceof Error ? error.name : typeof error}`,
      );
