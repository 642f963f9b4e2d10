import type { KeyUse, Permission, ReasonCode, RetrievedContent } from '@temporal-kms/codec-api';
import { keyOf, otherNamespace, type Payload, type StoredPayload } from '@temporal-kms/histories/payloads';
import {
  type CallOptions,
  type DecodePlan,
  type KmsCodec,
  KmsCodecError,
  type PlaintextBudget,
} from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { ClientDisconnected, isAuditUnavailable, nameOf } from '../errors.ts';
import { hasTooManyEntries, MAX_ENTRIES, payloadBytes } from '../json/payload.ts';
import { chargedTo, type KmsAllowance } from '../observability/kms-calls.ts';
import { isStorageReference } from '@temporal-kms/payload-storage';
import { nestedReference, type ReadOptions, type Retrieval, type Retrieved } from '../storage/retrieval.ts';
import { ownTurn, SLICE_BYTES } from '../turns/slices.ts';
import { KmsCallBudgetExhausted, type LeasedPlaintext } from './stream-limits.ts';

/** The methods of `KmsCodec` that histories need. */
export interface HistoryCodec<Use extends Permission = Permission> extends Pick<
  KmsCodec,
  'decrypt' | 'inspect'
> {
  /**
   * The permission that the caller used. The permission is part of the type so that a route for searches
   * cannot send decoded payloads.
   */
  readonly use?: Use;
  plan(...args: Parameters<KmsCodec['plan']>): Pick<DecodePlan, 'kmsCalls'>;
  /** The caller's allowance of Cloud KMS calls. Without an allowance, the calls are not limited. */
  readonly allowance?: KmsAllowance;
  /** Reads the objects to which payloads refer. Without this reader, references are returned unchanged. */
  readonly retrieval?: Retrieval | undefined;
}

/** Returns a codec for one request, whose Cloud KMS calls are charged to the caller. */
export function chargedCodec<Use extends Permission>(
  codec: HistoryCodec<Use>,
  allowance: KmsAllowance | undefined,
): HistoryCodec<Use> {
  if (allowance === undefined) return codec;
  return { ...codec, allowance, decrypt: (...args) => chargedTo(allowance, () => codec.decrypt(...args)) };
}

interface MessageOrigin {
  readonly key?: KeyUse;
  /** The namespace that the message names, if it differs from the history's. */
  readonly namespace?: string;
}

export type DecryptResult =
  | (MessageOrigin & {
      readonly ok: true;
      readonly payload: Payload;
      readonly warning?: ReasonCode;
      /** The format and size of the object, if the payload was read from external storage. */
      readonly retrieved?: RetrievedContent;
    })
  | (MessageOrigin & { readonly ok: false; readonly reason: ReasonCode; readonly message: string });

/**
 * The options of a decryption: authorization for messages of other namespaces, memory for the plaintext, and
 * a signal.
 */
export interface DecryptOptions extends Omit<CallOptions, keyof RevealHooks>, RevealHooks {
  readonly budget: LeasedPlaintext;
  readonly signal: AbortSignal;
}

/** The functions that authorize and record the steps of a payload's decryption. */
export interface RevealHooks extends Pick<CallOptions, 'onInnerLayer'>, Pick<ReadOptions, 'recordObject'> {
  readonly authorizeNamespace: (namespace: string) => void | Promise<void>;
}

/**
 * Decrypts one payload. Returns a reason code on failure, so that one failure does not affect other payloads.
 * Ignore the result if the signal has been aborted.
 * @param stored undefined if the history no longer has the payload
 * @throws only KmsCallBudgetExhausted and HttpError `audit_unavailable`
 */
export async function decryptPayload(
  codec: HistoryCodec,
  log: Logger,
  stored: StoredPayload | undefined,
  options: DecryptOptions,
): Promise<DecryptResult> {
  if (stored === undefined) {
    const message =
      'The payload no longer exists: its retention period has ended, or the run has replaced it.';
    return { ok: false, reason: 'event_not_found', message };
  }
  const { payload, context } = stored;
  const { retrieval } = codec;
  let named = payload;
  try {
    if (retrieval === undefined) return await decryptStored(codec, stored, options);
    let target = retrieval.target(payload);
    if (target === undefined) {
      const result = await decryptStored(codec, stored, options);
      // The decrypted payload may be a reference, because a proxy encrypts the references that workers write.
      target = result.ok ? retrieval.target(result.payload) : undefined;
      if (target === undefined) return result;
    }
    const content = await retrieval.read(target, { ...options, hold: options.budget.hold });
    named = content.payload;
    return await decryptContent(codec, content, stored, options);
  } catch (error) {
    if (error instanceof KmsCallBudgetExhausted || isAuditUnavailable(error)) throw error;
    if (error instanceof KmsCodecError) {
      const other = otherNamespace(codec.inspect(named, context), context);
      return { ok: false, reason: error.code, ...keyOf(error), ...other, message: error.message };
    }
    // Errors after the end of the stream are expected, so they are not logged.
    const isAbandoned = options.signal.aborted || error instanceof ClientDisconnected;
    if (!isAbandoned) log.error({ error: nameOf(error) }, 'decrypting a payload failed unexpectedly');
    return {
      ok: false,
      reason: 'malformed',
      message: 'The server could not decrypt the payload because of an unexpected error; see its log.',
    };
  }
}

/** @throws KmsCodecError; what the options' functions throw */
async function decryptStored(
  codec: HistoryCodec,
  { payload, encryptable, isEnvelope, context }: StoredPayload,
  options: Omit<DecryptOptions, 'budget'> & { readonly budget: PlaintextBudget },
): Promise<DecryptResult> {
  if (hasTooManyEntries(payload)) {
    const message = `The payload has more than ${MAX_ENTRIES} metadata entries, or its event has too many values; the payload was not decrypted.`;
    return { ok: false, reason: 'too_large', message };
  }
  if ((payload.data?.length ?? 0) > SLICE_BYTES) await ownTurn();
  // The codec reserves memory for decrypted plaintext, but not for payloads that it returns unchanged. The
  // memory for an object was reserved before the object was read.
  const reserveUnchanged = () =>
    options.overwrite ? undefined : options.budget.reserve(payloadBytes(payload));
  if (!encryptable && isPlain(codec.inspect(payload, context))) {
    await reserveUnchanged();
    return { ok: true, payload, ...(isEnvelope && { warning: 'system_envelope' }) };
  }
  const decrypted = await codec.decrypt(payload, context, options);
  if (decrypted.payload === payload) await reserveUnchanged();
  const { reason } = decrypted.info;
  return {
    ok: true,
    payload: decrypted.payload,
    ...keyOf(decrypted.info),
    ...otherNamespace(decrypted.info, context),
    ...(reason === undefined ? {} : { warning: reason }),
  };
}

/**
 * Decrypts the content of an object as if the history contained it in place of the reference.
 * @throws as `decryptStored`
 */
async function decryptContent(
  codec: HistoryCodec,
  retrieved: Retrieved,
  reference: StoredPayload,
  options: DecryptOptions,
): Promise<DecryptResult> {
  const { payload, object: stored } = retrieved;
  const release = await options.budget.useObject(retrieved);
  let isUsed = false;
  try {
    const { context } = reference;
    const calls = codec.plan([payload], context).kmsCalls;
    options.innerKmsCalls?.reserve(Array.from({ length: calls }, (_, n) => `${stored.name}#${n}`));
    // Inspects the content before decryption, which overwrites it.
    const { format, bytes } = codec.inspect(payload, context);
    const inPlace = { ...options, budget: options.budget.ofObject, overwrite: true };
    const result = await decryptStored(codec, { ...reference, payload }, inPlace);
    if (result.ok && isStorageReference(result.payload)) throw nestedReference();
    isUsed = result.ok;
    return result.ok ? { ...result, retrieved: { format, bytes } } : result;
  } finally {
    if (!isUsed) release();
  }
}

/**
 * SDKs never encrypt headers, so plaintext in a header causes neither an error nor a warning. Compressed
 * payloads from temporal-proxy do not count as plain, because `decrypt` must report them as unreadable.
 */
const isPlain = ({ format, compressed }: ReturnType<HistoryCodec['inspect']>): boolean =>
  format === 'plain' && compressed === undefined;
