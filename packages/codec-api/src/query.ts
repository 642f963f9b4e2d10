import { z } from 'zod/mini';
import { decodeFrame, justification, payloadStub } from './payload.ts';
import { attributes } from './workflow.ts';

/** Number of seconds for which the server waits for a worker to answer a query. */
export const QUERY_SECONDS = 10;

/**
 * Maximum size of a request's body in bytes, except for the routes that take a file. A body with 200 refs is smaller
 * than this limit.
 */
export const MAX_API_BODY = 256 * 1024;

/** Maximum number of arguments of a query. */
export const MAX_ARGUMENTS = 20;

/** `POST …/runs/{runId}/query`: sends a query for a run to a worker, and decrypts the result. */
export const queryRequest = z.strictObject({
  type: z.string().check(z.minLength(1, 'is missing'), z.maxLength(1_000, 'is longer than 1,000 characters')),
  /**
   * The arguments, each as JSON text, which the worker receives unchanged. For a query without arguments, omit this
   * field or send an empty list.
   */
  arguments: z._default(z.array(z.string()).check(z.maxLength(MAX_ARGUMENTS)), []),
  justification: z.optional(justification),
});
export type QueryRequest = z.input<typeof queryRequest>;

/** A worker's answer. The answer's payloads follow in separate lines. */
export const queryAnswer = z.object({
  type: z.literal('answer'),
  /** `failed` means that the worker's code threw an error, or has no handler for this query type. */
  outcome: z.enum(['answered', 'failed']),
  /** `queryResult` or `failure` in proto3 JSON, with placeholders for payloads. */
  attributes,
  /** Every payload in `attributes`. The refs are `0:<n>`, and are valid only in this response. */
  payloads: z.array(payloadStub),
});
export type QueryAnswer = z.infer<typeof queryAnswer>;

/** The lines of the NDJSON response: the answer, then the lines of `decodeFrame`. */
export const queryFrame = z.union([queryAnswer, decodeFrame]);
export type QueryFrame = z.infer<typeof queryFrame>;
