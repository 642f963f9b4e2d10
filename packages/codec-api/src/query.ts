import { z } from 'zod/mini';
import { decodeFrame, justification, payloadStub } from './payload.ts';
import { attributes } from './workflow.ts';

/** How many seconds the server waits for a worker that answers a query. */
export const QUERY_SECONDS = 10;

/** Maximum number of arguments of a query. */
export const MAX_ARGUMENTS = 20;

/** `POST …/runs/{runId}/query`: runs a query of a run on a worker, and decrypts the result. */
export const queryRequest = z.strictObject({
  type: z.string().check(z.minLength(1, 'is missing'), z.maxLength(1_000, 'is longer than 1,000 characters')),
  /** Each is a JSON text, which the worker receives unchanged. Absent or empty: no arguments. */
  arguments: z._default(z.array(z.string()).check(z.maxLength(MAX_ARGUMENTS)), []),
  justification: z.optional(justification),
});
export type QueryRequest = z.input<typeof queryRequest>;

/** What a worker answered. Its payloads follow in separate lines. */
export const queryAnswer = z.object({
  type: z.literal('answer'),
  /** `failed`: the worker's code threw, or knows no such query. */
  outcome: z.enum(['answered', 'failed']),
  /** `queryResult` or `failure` in proto3 JSON, with placeholders for payloads. */
  attributes,
  /** Every payload of `attributes`, refs `0:<n>`, which only this response resolves. */
  payloads: z.array(payloadStub),
});
export type QueryAnswer = z.infer<typeof queryAnswer>;

/** The lines of the NDJSON response: the answer, then the lines of `decodeFrame`. */
export const queryFrame = z.union([queryAnswer, decodeFrame]);
export type QueryFrame = z.infer<typeof queryFrame>;
