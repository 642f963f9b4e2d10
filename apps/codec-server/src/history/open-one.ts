import type { KeyUse, ReasonCode } from '@temporal-kms/codec-api';
import {
  type CallOptions,
  type PlaintextBudget,
  type KmsCodec,
  KmsCodecError,
} from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { ClientDisconnected, nameOf } from '../errors.ts';
import type { SealedIn } from './context.ts';
import { chargedTo, type KmsAllowance } from '../kms-allowance.ts';
import { hasTooManyEntries, MAX_ENTRIES } from '../json/payload-limits.ts';
import { keyOf, otherNamespace, type Payload } from '../payload.ts';
import { KeyBudgetSpent } from './key-budget.ts';

export interface Opener extends Pick<KmsCodec, 'open' | 'inspect' | 'unopened'> {
  /** What its caller may make Cloud KMS be asked. Absent: as much as they like. */
  readonly allowance?: KmsAllowance;
}

/** Opens for one request of a caller, who is charged for the Cloud KMS requests that it causes. */
export function chargedOpener(codec: Opener, allowance: KmsAllowance | undefined): Opener {
  if (allowance === undefined) return codec;
  return {
    allowance,
    open: (...args) => chargedTo(allowance, () => codec.open(...args)),
    inspect: (...args) => codec.inspect(...args),
    unopened: (...args) => codec.unopened(...args),
  };
}

/** A payload as it stands in a history. */
export interface Located {
  readonly payload: Payload;
  readonly sealable: boolean;
  readonly context: SealedIn;
}

/** `namespace`: the one that the message names, where it is not the history's. */
interface Named {
  readonly key?: KeyUse;
  readonly namespace?: string;
}

export type Opened =
  | (Named & { readonly ok: true; readonly payload: Payload; readonly warning?: ReasonCode })
  | (Named & { readonly ok: false; readonly reason: ReasonCode; readonly message: string });

/**
 * How a caller's payloads are decrypted: nothing of other namespaces without asking, nothing without memory for it, and
 * nothing once it is over.
 */
export interface OpenOptions extends CallOptions {
  readonly budget: PlaintextBudget;
  readonly signal: AbortSignal;
  readonly authorizeNamespace: (namespace: string) => void | Promise<void>;
}

/**
 * Opens one payload by itself, so that one that can't be opened hides no other. Once the signal has been aborted, what
 * is returned means nothing.
 * @throws KeyBudgetSpent alone
 */
export async function openOne(
  codec: Opener,
  log: Logger,
  located: Located | undefined,
  options: OpenOptions,
): Promise<Opened> {
  if (located === undefined) {
    const message = 'It is no longer there: its retention has passed, or the run has moved on.';
    return { ok: false, reason: 'event_not_found', message };
  }
  const { payload, sealable, context } = located;
  if (hasTooManyEntries(payload)) {
    const message = `The payload has more than ${MAX_ENTRIES} metadata entries; nothing of it was decrypted.`;
    return { ok: false, reason: 'too_large', message };
  }
  try {
    if (!sealable && isPlain(codec.inspect(payload, context))) {
      await options.budget.reserve(payload.data?.length ?? 0);
      return { ok: true, payload };
    }
    const opened = await codec.open(payload, context, options);
    // The codec asks for what it decrypts; what passes is written as well.
    if (opened.payload === payload) await options.budget.reserve(payload.data?.length ?? 0);
    const { reason } = opened.info;
    return {
      ok: true,
      payload: opened.payload,
      ...keyOf(opened.info),
      ...otherNamespace(opened.info, context),
      ...(reason === undefined ? {} : { warning: reason }),
    };
  } catch (error) {
    if (error instanceof KeyBudgetSpent) throw error;
    if (error instanceof KmsCodecError) {
      const other = otherNamespace(codec.inspect(payload, context), context);
      return { ok: false, reason: error.code, ...keyOf(error), ...other, message: error.message };
    }
    // Its stream has ended without it.
    const isLeft = options.signal.aborted || error instanceof ClientDisconnected;
    if (!isLeft) log.error({ error: nameOf(error) }, 'opening a payload failed unexpectedly');
    return { ok: false, reason: 'malformed', message: 'The server could not read it; its log says more.' };
  }
}

/**
 * A header is never sealed by the SDK, so plaintext in it is neither reported nor refused. What temporal-proxy compressed
 * is no plaintext yet.
 */
const isPlain = ({ format, compressed }: ReturnType<Opener['inspect']>): boolean =>
  format === 'plain' && compressed === undefined;
