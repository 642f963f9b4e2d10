import type { KeyUse, Permission, ReasonCode } from '@temporal-kms/codec-api';
import { keyOf, otherNamespace, type Payload, type StoredPayload } from '@temporal-kms/histories/payloads';
import {
  type CallOptions,
  type DecodePlan,
  type KmsCodec,
  KmsCodecError,
  type PlaintextBudget,
} from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { ClientDisconnected, nameOf } from '../errors.ts';
import { hasTooManyEntries, MAX_ENTRIES } from '../json/payload.ts';
import { chargedTo, type KmsAllowance } from '../observability/kms-calls.ts';
import { ownTurn, SLICE_BYTES } from '../turns/slices.ts';
import { KmsCallBudgetExhausted } from './stream-limits.ts';

/** The part of `KmsCodec` that histories need. */
export interface HistoryCodec<Use extends Permission = Permission> extends Pick<
  KmsCodec,
  'decrypt' | 'inspect'
> {
  /** The permission that the caller used to get it: plaintext found by a search must not leave as decoded payloads. */
  readonly use?: Use;
  plan(...args: Parameters<KmsCodec['plan']>): Pick<DecodePlan, 'kmsCalls'>;
  /** The Cloud KMS calls that the caller may still cause. Unlimited if absent. */
  readonly allowance?: KmsAllowance;
}

/** Returns a codec for one request, which charges the Cloud KMS calls that it causes to the caller. */
export function chargedCodec<Use extends Permission>(
  codec: HistoryCodec<Use>,
  allowance: KmsAllowance | undefined,
): HistoryCodec<Use> {
  if (allowance === undefined) return codec;
  return {
    ...(codec.use && { use: codec.use }),
    allowance,
    decrypt: (...args) => chargedTo(allowance, () => codec.decrypt(...args)),
    inspect: (...args) => codec.inspect(...args),
    plan: (...args) => codec.plan(...args),
  };
}

interface MessageOrigin {
  readonly key?: KeyUse;
  /** The namespace that the message names, if it is not the history's. */
  readonly namespace?: string;
}

export type DecryptResult =
  | (MessageOrigin & { readonly ok: true; readonly payload: Payload; readonly warning?: ReasonCode })
  | (MessageOrigin & { readonly ok: false; readonly reason: ReasonCode; readonly message: string });

/** What a decryption needs: permission for messages of other namespaces, memory for its plaintext, and a signal. */
export interface DecryptOptions extends CallOptions {
  readonly budget: PlaintextBudget;
  readonly signal: AbortSignal;
  readonly authorizeNamespace: (namespace: string) => void | Promise<void>;
}

/**
 * Decrypts one payload. Returns a reason code if that fails, so that a failure never hides other payloads. Ignore the
 * result once the signal is aborted.
 * @param stored undefined if the history no longer has the payload
 * @throws KmsCallBudgetExhausted, and nothing else
 */
export async function decryptPayload(
  codec: HistoryCodec,
  log: Logger,
  stored: StoredPayload | undefined,
  options: DecryptOptions,
): Promise<DecryptResult> {
  if (stored === undefined) {
    const message = 'The payload no longer exists: its retention has passed, or the run has replaced it.';
    return { ok: false, reason: 'event_not_found', message };
  }
  const { payload, encryptable, isEnvelope, context } = stored;
  if (hasTooManyEntries(payload)) {
    const message = `The payload has more than ${MAX_ENTRIES} metadata entries, or its event has too many values; it was not decrypted.`;
    return { ok: false, reason: 'too_large', message };
  }
  try {
    if ((payload.data?.length ?? 0) > SLICE_BYTES) await ownTurn();
    if (!encryptable && isPlain(codec.inspect(payload, context))) {
      await options.budget.reserve(payload.data?.length ?? 0);
      return { ok: true, payload, ...(isEnvelope && { warning: 'system_envelope' }) };
    }
    const decrypted = await codec.decrypt(payload, context, options);
    // The codec reserves memory for plaintext that it decrypts, but not for a payload that it returns unchanged.
    if (decrypted.payload === payload) await options.budget.reserve(payload.data?.length ?? 0);
    const { reason } = decrypted.info;
    return {
      ok: true,
      payload: decrypted.payload,
      ...keyOf(decrypted.info),
      ...otherNamespace(decrypted.info, context),
      ...(reason === undefined ? {} : { warning: reason }),
    };
  } catch (error) {
    if (error instanceof KmsCallBudgetExhausted) throw error;
    if (error instanceof KmsCodecError) {
      const other = otherNamespace(codec.inspect(payload, context), context);
      return { ok: false, reason: error.code, ...keyOf(error), ...other, message: error.message };
    }
    // Once the stream has ended, errors are expected.
    const isAbandoned = options.signal.aborted || error instanceof ClientDisconnected;
    if (!isAbandoned) log.error({ error: nameOf(error) }, 'decrypting a payload failed unexpectedly');
    return {
      ok: false,
      reason: 'malformed',
      message: 'The server could not decrypt the payload because of an unexpected error; its log names it.',
    };
  }
}

/**
 * SDKs never encrypt headers, so plaintext in a header is neither an error nor a warning. `decrypt` refuses a payload
 * that temporal-proxy compressed.
 */
const isPlain = ({ format, compressed }: ReturnType<HistoryCodec['inspect']>): boolean =>
  format === 'plain' && compressed === undefined;
