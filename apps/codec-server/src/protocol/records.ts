import type { KeyUse, ReasonCode } from '@temporal-kms/codec-api';
import { type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { AuditRecord } from '../audit/audit.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import { keyOf, type Payload } from '../payload.ts';
import { badRequest, ClientDisconnected, HttpError } from '../errors.ts';

/** What the codec says of a payload from its metadata and header alone. */
export type Sealed = ReturnType<KmsCodec['inspect']>;

const RETRY_SECONDS = 5;

/** One operation, on record in each namespace that its payloads name: `NamespaceAccess`, or the audit's own record. */
export interface Records extends Pick<AuditRecord, 'end'> {
  /** @param namespace what the payloads name; absent: the one that was asked in */
  done(key: KeyUse | undefined, payloads: number, namespace?: string): void;
  /** @param namespace as for `done`; unknown: the one that was asked in */
  refused(code: ReasonCode, of: { readonly key?: KeyUse }, namespace?: string): void;
}

/**
 * Does the work between a record's `intent` and its `outcome`. It tells the record of each payload that is done.
 * @param sealed of the payloads that it may fail on
 */
export async function recorded(
  c: Context<Env>,
  record: Records,
  sealed: readonly Sealed[],
  work: () => Promise<Payload[]>,
): Promise<Payload[]> {
  let answer: Payload[];
  try {
    answer = await work();
  } catch (error) {
    if (error instanceof KmsCodecError) {
      record.refused(error.code, keyOf(error), namespaceOfError(sealed, error));
    }
    await record.end(error instanceof ClientDisconnected ? 'cut_off' : 'failed');
    throw error instanceof KmsCodecError ? refusalOf(error) : error;
  }
  await record.end(isResponseClosed(c) ? 'cut_off' : 'complete');
  return answer;
}

/** An error names no payload: it belongs to a namespace where all that may be meant do, those under its key. */
function namespaceOfError(sealed: readonly Sealed[], { key, keyVersion }: KmsCodecError): string | undefined {
  const meant = sealed.filter(
    (one) =>
      key === undefined || (one.key === key && (keyVersion === undefined || one.keyVersion === keyVersion)),
  );
  const namespaces = new Set(meant.map(({ namespace }) => namespace));
  return namespaces.size === 1 ? meant[0]?.namespace : undefined;
}

/** Tells of payloads that are done. Their sealed side names the keys. */
export function tellDone(record: Records, sealed: readonly Sealed[]): void {
  inRuns(sealed, (one, payloads) => record.done(keyOf(one).key, payloads, one.namespace));
}

/** Payloads in a row are mostly under one key: they are told of together. */
function inRuns(sealed: readonly Sealed[], tell: (one: Sealed, payloads: number) => void): void {
  let first = sealed[0];
  let payloads = 0;
  for (const one of sealed) {
    if (first !== undefined && !isUnderSameKey(first, one)) {
      tell(first, payloads);
      [first, payloads] = [one, 0];
    }
    payloads += 1;
  }
  if (first !== undefined) tell(first, payloads);
}

const isUnderSameKey = (one: Sealed, other: Sealed): boolean =>
  one.key === other.key && one.keyVersion === other.keyVersion && one.namespace === other.namespace;

function refusalOf(error: KmsCodecError): HttpError {
  // A message inside another one names a namespace that the caller may not decode in.
  if (error.code === 'namespace_not_permitted') return notPermitted(error);
  const version = error.keyVersion === undefined ? '' : `, version ${error.keyVersion}`;
  const key = error.key === undefined ? '' : `\nKey: ${error.key}${version}`;
  const message = `${error.code}: ${error.message}${key}`;
  return error.retryable
    ? new HttpError(503, 'internal', message, { retryAfter: RETRY_SECONDS, cause: error, loggable: true })
    : badRequest(message, error);
}

function notPermitted({ message, cause }: KmsCodecError): HttpError {
  const { status, code, retryAfter } =
    cause instanceof HttpError ? cause : new HttpError(403, 'forbidden', message);
  return new HttpError(status, code, message, { cause, ...(retryAfter !== undefined && { retryAfter }) });
}
