import type { DecodeResult } from '@temporal-kms/codec-api';
import { type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { payloadToJson } from '../payload-json.ts';
import { inCompletionOrder } from './completion-order.ts';
import type { Payload } from './message.ts';
import { keyOf } from './stub.ts';
import type { Located, Wanted } from './wanted.ts';

export type Opener = Pick<KmsCodec, 'open' | 'inspect'>;

/** Bytes of payloads, as stored, that one request has open or waiting to be sent at the same time. */
const UNDER_WAY_BYTES = 8 * 1024 * 1024;

/**
 * Opens each payload by itself, so that one that can't be opened hides no other. Ends early, with refs unanswered,
 * when a payload can't be read a second time: the caller asks again for what it didn't get.
 */
export async function* openWanted(
  codec: Opener,
  log: Logger,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): AsyncGenerator<DecodeResult, void> {
  const results = inCompletionOrder(wanted, {
    start: async (one) => {
      // A client that has gone away gets nothing decrypted any more.
      if (signal.aborted) return undefined;
      try {
        return await openOne(codec, log, one.ref, await one.load(signal));
      } catch (error) {
        if (!signal.aborted)
          log.warn({ error: nameOf(error) }, 'decoding ended early: a page could not be read again');
        return undefined;
      }
    },
    weigh: ({ bytes }) => 1_024 + bytes,
    limit: UNDER_WAY_BYTES,
  });
  for await (const result of results) {
    if (result === undefined) return;
    yield result;
  }
}

async function openOne(
  codec: Opener,
  log: Logger,
  ref: string,
  located: Located | undefined,
): Promise<DecodeResult> {
  if (located === undefined) {
    const message = 'It is no longer there: its retention has passed, or the run has moved on.';
    return { ref, ok: false, reason: 'event_not_found', message };
  }
  const { payload, sealable, context } = located;
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
    log.error({ error: nameOf(error) }, 'opening a payload failed unexpectedly');
    const message = 'The server could not read it; its log says more.';
    return { ref, ok: false, reason: 'malformed', message };
  }
}

const jsonOf = (payload: Payload): { metadata: Record<string, string>; data: string } => {
  const { metadata = {}, data = '' } = payloadToJson(payload);
  return { metadata, data };
};

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
