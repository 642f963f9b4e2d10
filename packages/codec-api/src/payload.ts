import { z } from 'zod';
import { endReason } from './ends.ts';
import { reasonCode } from './reasons.ts';
import { hasVisibleText } from './visible-text.ts';

/**
 * `<eventId>:<n>`: the n-th payload (from 0) of an event, in the order of the protos' fields with map keys sorted.
 * Event id 0 means the run's description (memo, pending activities), which changes while the run goes on: n is then
 * a number made of the payload's stored bytes, so a ref never comes to mean another payload; one that is gone by the
 * time it is asked for is answered with `event_not_found`.
 */
export const payloadRef = z
  .string()
  .regex(/^(0|[1-9]\d{0,18}):(0|[1-9]\d{0,15})$/, 'must be a ref, as 5:0 is');
export type PayloadRef = z.infer<typeof payloadRef>;

/** Where a payload stood is kept in the attributes by this object in its place. */
export const payloadPlaceholder = z.strictObject({ $payload: payloadRef });
export type PayloadPlaceholder = z.infer<typeof payloadPlaceholder>;

/** The key that a sealed payload names in its header: a claim until the payload has opened. */
export const keyUse = z.object({
  /** Crypto key resource name, `projects/…/cryptoKeys/…`; absent when the key id is of no configured key. */
  name: z.string().optional(),
  /** Cloud KMS key version, from 1; absent in formats that don't record it. */
  version: z.number().int().positive().optional(),
});
export type KeyUse = z.infer<typeof keyUse>;

export const otherNamespace = z
  .string()
  .describe(
    'The namespace that the message names, where it is not the namespace of the history. The message is decrypted only ' +
      'for callers who have the permission of the operation there too, and who give a justification where it asks for one.',
  );

export const payloadFormat = z.enum([
  'envelope-v2',
  'envelope',
  'direct',
  'proxy',
  'static',
  'external',
  'plain',
]);
export type PayloadFormat = z.infer<typeof payloadFormat>;

/** What is known of a payload without opening it: no Cloud KMS call and no plaintext was needed for it. */
export const payloadStub = z.object({
  ref: payloadRef,
  /**
   * Path inside the attributes (beside them: `userMetadata.summary`; in a description: inside `details`), in the
   * protos' camelCase: `failure.cause.encodedAttributes`, `input.payloads[0]`, `memo.fields.customer`,
   * `details["patch-data"].payloads[0]` where a map's key is no identifier.
   */
  path: z.string(),
  /** Bytes as stored, metadata excluded. */
  bytes: z.number().int().nonnegative(),
  /** `metadata.encoding` as stored; empty when there is none. */
  encoding: z.string(),
  format: payloadFormat,
  key: keyUse.optional(),
  namespace: otherNamespace.optional(),
  /**
   * A reason already known from the header alone, before any attempt to open it; `namespace_not_permitted` where the
   * caller may not decode in `namespace`.
   */
  reason: reasonCode.optional(),
});
export type PayloadStub = z.infer<typeof payloadStub>;

/** A payload in proto3 JSON: metadata values and data are base64 (RFC 4648, padded). */
export const jsonPayload = z.object({
  metadata: z.record(z.string(), z.string()).default({}),
  data: z.string().default(''),
});
export type JsonPayload = z.infer<typeof jsonPayload>;

/** At most this many refs in one `payloads:decode`. */
export const MAX_REFS = 200;

/**
 * Why a caller wants plaintext, for the audit: 1 to 500 characters, at least one of them visible. Required where a
 * namespace reveals on demand; accepted everywhere.
 */
export const justification = z
  .string()
  .trim()
  .min(1, 'is empty')
  .max(500, 'is longer than 500 characters')
  .refine(hasVisibleText, 'has no visible character: say in words why you want to see it');

export const decodeRequest = z.strictObject({
  refs: z.array(payloadRef).min(1).max(MAX_REFS),
  justification: justification.optional(),
});
export type DecodeRequest = z.infer<typeof decodeRequest>;

/**
 * One payload in the answer of `payloads:decode`. `warning` stands beside a payload that came through as it was stored: `not_encrypted`, or `external_reference`, whose content
 * lies elsewhere.
 */
export const decodeResult = z.discriminatedUnion('ok', [
  z.object({
    ref: payloadRef,
    ok: z.literal(true),
    payload: jsonPayload,
    key: keyUse.optional(),
    namespace: otherNamespace.optional(),
    warning: reasonCode.optional(),
  }),
  z.object({
    ref: payloadRef,
    ok: z.literal(false),
    reason: reasonCode,
    key: keyUse.optional(),
    namespace: otherNamespace.optional(),
    message: z.string(),
  }),
]);
export type DecodeResult = z.infer<typeof decodeResult>;

/**
 * The lines of the NDJSON answer of `payloads:decode`: results in the order in which they are ready, and last an end.
 * Each ref asked for is answered at most once, and exactly once where the end is `complete`: ask again for what
 * another end, or none, has left out.
 */
export const decodeFrame = z.union([
  decodeResult,
  z.object({ type: z.literal('end'), reason: endReason, message: z.string().optional() }),
]);
export type DecodeFrame = z.infer<typeof decodeFrame>;
