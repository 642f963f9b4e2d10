import type { AuditedCaller, OpenAudit } from '@temporal-kms/audit';
import type { AuditConfig, Values } from '@temporal-kms/config';
import { createKmsCodec, type KmsCodec, KmsCodecError, type KmsSettings } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import { loadKeyConfig } from '../cli/environment.ts';
import type { Output } from '../cli/output.ts';
import { connectGoogle } from '../google/client.ts';
import { callerOf, checkJustification, openFileAudit } from './file-audit.ts';

interface DecryptionOptions {
  readonly kms: KmsSettings & { readonly emulatorHost?: string | undefined };
  readonly auditFile: AuditConfig;
  readonly namespace: string;
}

export interface OpenDecryption {
  readonly codec: KmsCodec;
  readonly audit: OpenAudit;
  readonly caller: AuditedCaller;
}

/**
 * Returns the settings of a decryption, from the command's options and the environment variables. @throws
 * CliError if the justification or the namespace is missing, or if the configuration has no keys for the
 * namespace
 */
export function decryptionFrom(
  options: { readonly namespace?: string; readonly audit?: string; readonly justification?: string },
  values: Values,
): DecryptionOptions & { readonly justification: string } {
  const justification = checkJustification(options.justification);
  const { kms, audit } = loadKeyConfig(values, {});
  const namespace = options.namespace ?? values['TEMPORAL_NAMESPACE'];
  if (!namespace) throw new CliError('usage', 'No namespace is named', ['--namespace payments-prod']);
  checkNamespace(kms, namespace);
  return {
    kms,
    auditFile: options.audit === undefined ? audit : { ...audit, file: options.audit },
    namespace,
    justification,
  };
}

/**
 * Opens the audit and the codec of a namespace, calls `use` with them, and closes them.
 * @throws CliError if no audit file is given, or if `use` throws an unexpected error; the message then
 * contains only that error's name
 */
export async function withDecryption<T>(
  options: DecryptionOptions,
  output: Output,
  use: (opened: OpenDecryption) => Promise<T>,
): Promise<T> {
  try {
    return await opened(options, output, use);
  } catch (error) {
    throw withoutContent(error);
  }
}

async function opened<T>(
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
function checkNamespace({ rules }: KmsSettings, namespace: string): void {
  try {
    rules.resolve(namespace);
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    throw new CliError('configuration', `${error.message} (${error.code})`, [], error);
  }
}

/** Returns the service account of the credentials, for the audit; undefined for a person's credentials. */
async function accountOf(emulatorHost: string | undefined, output: Output): Promise<string | undefined> {
  const google = await connectGoogle(emulatorHost, output);
  try {
    return await google.identity();
  } finally {
    await google.close();
  }
}

/** Replaces the message of an unexpected error, because the message may quote plaintext. */
const withoutContent = (error: unknown): CliError =>
  error instanceof CliError
    ? error
    : new CliError(
        'internal',
        `An unexpected error ended the decryption: ${error instanceof Error ? error.name : typeof error}`,
      );
