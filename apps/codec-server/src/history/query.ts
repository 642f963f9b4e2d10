import { payloadRefOf, type PayloadStub, type QueryFrame } from '@temporal-kms/codec-api';
import {
  type Payload,
  type PayloadContext,
  type PayloadLocation,
  writeMessage,
} from '@temporal-kms/histories/payloads';
import { JsonScanner } from '@temporal-kms/histories/json-scanner';
import type { Logger } from 'pino';
import { badRequest } from '../errors.ts';
import type { QueryOutcome } from '../temporal/query-failure.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';
import { decodeFrames } from './decode-stream.ts';
import type { HistoryCodec, RevealHooks } from './decrypt-payload.ts';
import type { PayloadRequest } from './locate-payloads.ts';
import { type Inspect, payloadStub, placeholder } from './payload-stub.ts';
import type { StreamLifetime } from './stream-limits.ts';

const MAX_DEPTH = 100;

/** Converts JSON texts to payloads. @throws HttpError 400, which does not quote the text */
export const argumentPayloads = (texts: readonly string[]): Payload[] =>
  texts.map((text, n) => {
    const isJson = new JsonScanner(text, MAX_DEPTH).scan(() => undefined);
    if (!isJson) {
      throw badRequest(
        `arguments.${n} is not JSON of at most ${MAX_DEPTH} levels. Write text in double quotation marks.`,
      );
    }
    return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(text) };
  });

export interface QueryFramesOptions {
  readonly codec: HistoryCodec<'decode'>;
  readonly inspect: Inspect;
  readonly log: Logger;
  readonly context: PayloadContext;
  readonly outcome: QueryOutcome;
  readonly lifetime: StreamLifetime;
  readonly record: RevealHooks;
}

/**
 * Yields a worker's response to a query or update, with stubs in place of its payloads, and then the
 * decrypted payloads.
 */
export async function* queryFrames({
  codec,
  inspect,
  log,
  context,
  outcome,
  lifetime,
  record,
}: QueryFramesOptions): AsyncGenerator<QueryFrame, void> {
  const found: PayloadLocation[] = [];
  const [type, field] =
    'failure' in outcome
      ? (['errordetails.v1.QueryFailedFailure', 'failed'] as const)
      : (['workflowservice.v1.QueryWorkflowResponse', 'answered'] as const);
  const attributes = writeMessage(`temporal.api.${type}`, outcome, (location) => {
    found.push(location);
    return placeholder(payloadRefOf(0, found.length - 1));
  });
  const checkpoint = createCheckpoint();
  const payloads: PayloadStub[] = [];
  for (const [n, location] of found.entries()) {
    await checkpoint();
    payloads.push(payloadStub(payloadRefOf(0, n), location, context, inspect));
  }
  const reason = lifetime.interruption();
  if (reason === 'disconnected') return;
  if (reason !== undefined) {
    yield { type: 'end', reason };
    return;
  }
  yield { type: 'answer', outcome: field, attributes, payloads };
  const requests = found.map((location, n): PayloadRequest => {
    const held = { ...location, context };
    const bytes = location.payload.data?.length ?? 0;
    return { ref: payloadRefOf(0, n), bytes, held, load: async () => held };
  });
  yield* decodeFrames(codec, log, requests, lifetime, record);
}
