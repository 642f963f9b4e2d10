import type { KeyUse, ReasonCode } from '@temporal-kms/codec-api';
import { type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { nameOf } from '../error-text.ts';
import type { SealedIn } from './context.ts';
import { keyOf, type Payload } from '../payload.ts';

export type Opener = Pick<KmsCodec, 'open' | 'inspect' | 'unopened'>;

/** A payload as it stands in a history. */
export interface Located {
  readonly payload: Payload;
  readonly sealable: boolean;
  readonly context: SealedIn;
}

export type Opened =
  | { readonly ok: true; readonly payload: Payload; readonly key?: KeyUse; readonly warning?: ReasonCode }
  | { readonly ok: false; readonly reason: ReasonCode; readonly key?: KeyUse; readonly message: string };

/**
 * Opens one payload by itself, so that one that can't be opened hides no other. Never rejects.
 * @param signal aborted when nobody needs it any more: then what is returned means nothing
 */
export async function openOne(
  codec: Opener,
  log: Logger,
  located: Located | undefined,
  signal: AbortSignal,
): Promise<Opened> {
  if (located === undefined) {
    const message = 'It is no longer there: its retention has passed, or the run has moved on.';
    return { ok: false, reason: 'event_not_found', message };
  }
  const { payload, sealable, context } = located;
  try {
    // A header is never sealed by the SDK, so plaintext in it is neither reported nor refused.
    if (!sealable && codec.inspect(payload, context).format === 'plain') return { ok: true, payload };
    const opened = await codec.open(payload, context, { signal });
    const { reason } = opened.info;
    return {
      ok: true,
      payload: opened.payload,
      ...keyOf(opened.info),
      ...(reason === undefined ? {} : { warning: reason }),
    };
  } catch (error) {
    if (error instanceof KmsCodecError) {
      return { ok: false, reason: error.code, ...keyOf(error), message: error.message };
    }
    if (!signal.aborted) log.error({ error: nameOf(error) }, 'opening a payload failed unexpectedly');
    return { ok: false, reason: 'malformed', message: 'The server could not read it; its log says more.' };
  }
}
