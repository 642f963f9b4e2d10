import type { AuditRecord } from '@temporal-kms/audit';
import type { KeyUse, ReasonCode } from '@temporal-kms/codec-api';
import { keyOf, type Payload } from '@temporal-kms/histories/payloads';
import { KmsCodecError, type PayloadInfo } from '@temporal-kms/kms-codec';
import { StorageUnavailable } from '@temporal-kms/payload-storage';
import type { Context } from 'hono';
import { badRequest, ClientDisconnected, HttpError } from '../errors.ts';
import { type Env, isResponseClosed } from '../http/context.ts';
import { ownTurn, SLICE_BYTES, WHOLE_BYTES } from '../turns/slices.ts';

const RETRY_SECONDS = 5;

/**
 * Records one operation in the audit of each namespace that its payloads name. `NamespaceAccess` implements
 * this interface, and so does the record of a single namespace.
 */
interface Records extends Pick<AuditRecord, 'end'> {
  /** @param namespace the namespace that the payloads name. Default: the request's namespace */
  done(key: KeyUse | undefined, payloads: number, namespace?: string): void;
  /** @param namespace the namespace that the payload names. Default: the request's namespace */
  refused(code: ReasonCode, of: { readonly key?: KeyUse }, namespace?: string): void;
}

/**
 * Processes payloads, and then writes the audit record's `outcome`. `process` records each completed payload.
 * @param infos descriptions of the payloads on which `process` may fail
 */
export async function withAudit(
  c: Context<Env>,
  record: Records,
  payloads: readonly Payload[],
  infos: readonly PayloadInfo[],
  process: Process,
): Promise<Payload[]> {
  let results: Payload[];
  try {
    results = await inSlices(c, payloads, process);
  } catch (error) {
    if (error instanceof KmsCodecError) {
      record.refused(error.code, keyOf(error), namespaceOfError(infos, error));
    }
    await record.end(error instanceof ClientDisconnected ? 'cut_off' : 'failed');
    throw error instanceof KmsCodecError ? httpErrorOf(error) : error;
  }
  await record.end(isResponseClosed(c) ? 'cut_off' : 'complete');
  return results;
}

/**
 * Returns the namespace to which an error belongs. The error identifies its key, but not its payload. If all
 * payloads under that key name the same namespace, returns that namespace; otherwise, returns undefined.
 */
function namespaceOfError(
  infos: readonly PayloadInfo[],
  { key, keyVersion }: KmsCodecError,
): string | undefined {
  const candidates = infos.filter(
    (info) =>
      key === undefined || (info.key === key && (keyVersion === undefined || info.keyVersion === keyVersion)),
  );
  const namespaces = new Set(candidates.map(({ namespace }) => namespace));
  return namespaces.size === 1 ? candidates[0]?.namespace : undefined;
}

/** Records payloads that were encoded or decoded. Consecutive payloads under the same key are recorded together. */
export function recordDecoded(
  record: Records,
  infos: readonly PayloadInfo[],
  start: number = 0,
  end: number = infos.length,
): void {
  let first = infos[start];
  let payloads = 0;
  for (let n = start; n < end; n += 1) {
    const info = infos[n];
    if (first === undefined || info === undefined) return;
    if (!isUnderSameKey(first, info)) {
      record.done(keyOf(first).key, payloads, first.namespace);
      [first, payloads] = [info, 0];
    }
    payloads += 1;
  }
  if (first !== undefined && payloads > 0) record.done(keyOf(first).key, payloads, first.namespace);
}

const isUnderSameKey = (one: PayloadInfo, other: PayloadInfo): boolean =>
  one.key === other.key && one.keyVersion === other.keyVersion && one.namespace === other.namespace;

/** Returns the error of a request whose payloads could not be encrypted or decrypted. */
export function httpErrorOf(error: KmsCodecError): HttpError {
  // An inner layer names a namespace in which the caller may not decode payloads.
  if (error.code === 'namespace_not_permitted') return notPermitted(error);
  const version = error.keyVersion === undefined ? '' : `, version ${error.keyVersion}`;
  const key = error.key === undefined ? '' : `\nKey: ${error.key}${version}`;
  const message = `${error.code}: ${error.message}${key}`;
  const loggable = error instanceof StorageUnavailable ? `${error.code}: ${error.loggable}` : true;
  return error.retryable
    ? new HttpError(503, 'internal', message, { retryAfter: RETRY_SECONDS, cause: error, loggable })
    : badRequest(message, error);
}

function notPermitted({ message, cause }: KmsCodecError): HttpError {
  const { status, code, retryAfter } =
    cause instanceof HttpError ? cause : new HttpError(403, 'forbidden', message);
  return new HttpError(status, code, message, { cause, ...(retryAfter !== undefined && { retryAfter }) });
}

const SLICE_PAYLOADS = 500;

/**
 * Processes payloads in slices. Between slices, other requests run, and a request stops if its client has
 * disconnected or its deadline has passed.
 * @param process returns the results for the payloads from `start` to `end`, exclusive
 * @throws ClientDisconnected, and what `process` throws
 */
function inSlices(c: Asked, payloads: readonly Payload[], process: Process): Promise<Payload[]> {
  // Fast path: most requests are small, and need neither copying nor slicing.
  const bytes = payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  return payloads.length <= SLICE_PAYLOADS && bytes <= WHOLE_BYTES
    ? processIfConnected(c, 0, payloads.length, process)
    : sliceAfterSlice(c, payloads, process);
}

type Asked = { readonly env?: Env['Bindings'] };
type Process = (start: number, end: number) => Promise<Payload[]>;

function processIfConnected(c: Asked, start: number, end: number, process: Process): Promise<Payload[]> {
  return isResponseClosed(c) ? Promise.reject(new ClientDisconnected()) : process(start, end);
}

async function sliceAfterSlice(c: Asked, payloads: readonly Payload[], process: Process): Promise<Payload[]> {
  const results: Payload[] = [];
  for (let start = 0; start < payloads.length;) {
    const end = endOfSlice(payloads, start);
    await ownTurn();
    for (const result of await processIfConnected(c, start, end, process)) results.push(result);
    start = end;
  }
  return results;
}

function endOfSlice(payloads: readonly Payload[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < payloads.length && end - start < SLICE_PAYLOADS) {
    const size = payloads[end]?.data?.length ?? 0;
    if (end > start && bytes + size > SLICE_BYTES) break;
    bytes += size;
    end += 1;
  }
  return end;
}
