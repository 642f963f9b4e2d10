import { type DecodeResult, MAX_DECODE_BYTES } from '@temporal-kms/codec-api';
import { type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { payloadToJson } from '../payload-json.ts';
import { inCompletionOrder } from './completion-order.ts';
import type { Payload } from './message.ts';
import { keyOf } from './stub.ts';
import type { Wanted } from './wanted.ts';

export type Opener = Pick<KmsCodec, 'open' | 'inspect'>;

/** Opens each payload by itself, so that one that can't be opened hides no other. */
export function openWanted(
  codec: Opener,
  log: Logger,
  wanted: readonly Wanted[],
): AsyncGenerator<DecodeResult, void> {
  return inCompletionOrder(wanted, {
    start: (one) => openOne(codec, log, one),
    weigh: ({ found }) => 1_024 + (found?.payload.data?.length ?? 0),
    limit: MAX_DECODE_BYTES / 2,
  });
}

async function openOne(codec: Opener, log: Logger, { ref, found }: Wanted): Promise<DecodeResult> {
  if (found === undefined) {
    const message = 'It is no longer there: its retention has passed, or the run has moved on.';
    return { ref, ok: false, reason: 'event_not_found', message };
  }
  const { payload, sealable, context } = found;
  try {
    // A header is never sealed by the SDK, so plaintext in it is neither reported nor refused.
    if (!sealable && codec.inspect(payload, context).format === 'plain') {
      return { ref, ok: true, payload: jsonOf(payload) };
    }
    const opened = await codec.open(payload, context);
    const { reason } = opened.info;
    return {
      ref,
      ok: true,
      payload: jsonOf(opened.payload),
      ...keyOf(opened.info),
      ...(reason === undefined ? {} : { warning: reason }),
    };
  } catch (error) {
    if (error instanceof KmsCodecError) {
      return { ref, ok: false, reason: error.code, ...keyOf(error), message: error.message };
    }
    log.error(
      { error: error instanceof Error ? error.name : typeof error },
      'opening a payload failed unexpectedly',
    );
    return {
      ref,
      ok: false,
      reason: 'malformed',
      message: 'The server could not read it; its log says more.',
    };
  }
}

const jsonOf = (payload: Payload): { metadata: Record<string, string>; data: string } => {
  const { metadata = {}, data = '' } = payloadToJson(payload);
  return { metadata, data };
};
