import { hostname, userInfo } from 'node:os';
import { type AuditedCaller, type AuditRecord, type OpenAudit, openAudit } from '@temporal-kms/audit';
import {
  type AuditOperation,
  justification,
  type KeyUse,
  type PayloadRef,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import type { AuditConfig } from '@temporal-kms/config';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import type { StoredObject } from '@temporal-kms/payload-storage';
import { CliError } from '../cli/cli-error.ts';
import type { Output } from '../cli/output.ts';

const PRODUCER = 'temporal-kms/key-admin';

/**
 * Opens the audit file for decryptions. The format and the checks are those of the codec server.
 * @throws CliError if no file is given, or if the file cannot be written
 */
export async function openFileAudit(
  { file, fsync, digestKeyFile }: AuditConfig,
  { progress }: Pick<Output, 'progress'>,
): Promise<OpenAudit> {
  if (file === undefined)
    throw new CliError('usage', 'No audit file was given; without one, the command decrypts nothing', [
      '--audit /var/log/temporal-kms/decryptions.jsonl',
      'export AUDIT_FILE=/var/log/temporal-kms/decryptions.jsonl',
    ]);
  const report = ({ reason }: Readonly<Record<string, unknown>>, message: string): void =>
    progress(typeof reason === 'string' ? `${message}: ${reason}` : message);
  try {
    return await openAudit({
      file,
      fsync,
      digestKeyFile,
      output: () => Promise.reject(new Error('The audit is in a file')),
      log: { trace: ignore, debug: ignore, info: ignore, warn: report, error: report },
      failed: ignore,
      unavailable: notAudited,
      producer: PRODUCER,
    });
  } catch (error) {
    throw notAudited(error);
  }
}

const ignore = (): void => undefined;

const notAudited = (cause: unknown): CliError =>
  new CliError(
    'configuration',
    `The audit cannot be written, so the command decrypts nothing: ${messageOf(cause)}`,
    [],
    cause,
  );

/** @throws CliError unless the codec server would accept the text as a justification */
export function checkJustification(text: string | undefined): string {
  if (text === undefined)
    throw new CliError('usage', 'A decryption needs a justification, which the audit records', [
      "--justification 'ticket 4711'",
    ]);
  const parsed = justification.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CliError('usage', `The justification ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
}

/**
 * Returns the caller, who is identified in the audit by the names of the operating system's user and of the host.
 * Google's audit logs contain the identity that Cloud KMS has verified.
 * @param account e-mail address of the service account, if the credentials contain it
 */
export function callerOf(account: string | undefined): AuditedCaller {
  const name = `${userName()}@${hostname()}`;
  return account === undefined
    ? { name, issuer: 'operating system' }
    : { name, issuer: 'https://accounts.google.com', subject: account };
}

/** Returns the user's name, or a substitute, because a container may run as a user without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

export interface FileAuditIntent {
  readonly operation: Extract<AuditOperation, 'decode' | 'export'>;
  readonly caller: AuditedCaller;
  readonly namespace: string;
  readonly justification: string;
  readonly workflowId?: string | undefined;
  readonly runId?: string | undefined;
  /** The source of the payloads; absent if their run was read from Temporal. */
  readonly source?: 'file';
  /** The payloads, if an operation decrypts only some of a history's payloads. */
  readonly refs?: readonly PayloadRef[];
  readonly digests?: readonly string[] | undefined;
}

/**
 * The audit of one decryption: an intent before the decryption and an outcome afterwards. Each other namespace whose
 * messages are decrypted also gets an intent and an outcome.
 */
export class FileAudit {
  readonly #audit: OpenAudit;
  readonly #intent: FileAuditIntent;
  readonly #records = new Map<string, Promise<AuditRecord>>();
  readonly #begun = new Map<string, AuditRecord>();

  private constructor(audit: OpenAudit, intent: FileAuditIntent) {
    this.#audit = audit;
    this.#intent = intent;
  }

  /**
   * Writes the intent.
   * @throws CliError if the intent cannot be written; the caller must then decrypt nothing
   */
  static async begin(audit: OpenAudit, intent: FileAuditIntent): Promise<FileAudit> {
    const begun = new FileAudit(audit, intent);
    await begun.intentFor(intent.namespace);
    return begun;
  }

  /**
   * Writes the intent for a namespace, unless it has been written already.
   *
   * @throws CliError if the intent cannot be written
   */
  async intentFor(namespace: string): Promise<void> {
    const { operation, caller, justification: why, workflowId, runId, source, refs, digests } = this.#intent;
    const own = this.#intent.namespace;
    let record = this.#records.get(namespace);
    if (record === undefined) {
      record = this.#audit.audit.begin({
        operation,
        caller,
        peer: undefined,
        namespace,
        ...(source !== undefined && { source }),
        justification: why,
        ...(namespace !== own && { requestNamespace: own }),
        ...(workflowId !== undefined && { workflowId }),
        ...(runId !== undefined && { runId }),
        ...(refs && { refs }),
        ...(namespace === own && digests && { digests }),
      });
      this.#records.set(namespace, record);
    }
    this.#begun.set(namespace, await record);
  }

  /**
   * Writes an entry for the object that the caller will read next.
   * @throws CliError if the entry cannot be written; the caller must then not read the object
   */
  async object({ type, driverName: driver, bucket, object }: StoredObject): Promise<void> {
    await this.#recordOf(undefined)?.object({ type, driver, bucket, object });
  }

  done(key: KeyUse | undefined, namespace: string | undefined): void {
    this.#recordOf(namespace)?.done(key);
  }

  refused(reason: ReasonCode, key: KeyUse | undefined, namespace: string | undefined): void {
    this.#recordOf(namespace)?.refused(reason, key && { key });
  }

  /**
   * Writes the outcomes.
   * @throws CliError if an outcome cannot be written; the caller must then release no plaintext
   */
  async end(result: 'complete' | 'failed'): Promise<void> {
    for (const record of this.#begun.values()) await record.end(result);
  }

  #recordOf(namespace: string | undefined): AuditRecord | undefined {
    return this.#begun.get(namespace ?? '') ?? this.#begun.get(this.#intent.namespace);
  }
}
