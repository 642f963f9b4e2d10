import { z } from 'zod/mini';
import { endReason } from './errors.ts';
import { reasonCode } from './reasons.ts';
import { hasVisibleText } from './visible-text.ts';

/**
 * `<eventId>:<n>`: the n-th payload (from 0) of an event, in the order of the protos' fields with map keys
 * sorted. Event id 0 refers to the run's description (memo, pending activities), which changes while the run
 * is open. For the description, n is derived from the payload's stored bytes, so that a ref never points to a
 * different payload later. Decoding a payload that no longer exists fails with `event_not_found`.
 */
export const payloadRef = z
  .string()
  .check(z.regex(/^(0|[1-9]\d{0,18}):(0|[1-9]\d{0,15})$/, 'must be a ref such as 5:0'))
  .brand('PayloadRef');
/** A payload's ref. Refs are unique only within a run or file, so store a ref together with its run. */
export type PayloadRef = z.infer<typeof payloadRef>;

/** Returns the ref of the n-th payload of an event, or of the description (event 0). */
export const payloadRefOf = (eventId: number, n: number): PayloadRef =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand has no value
  `${eventId}:${n}` as PayloadRef;

/** Returns the parts of a ref. Event id 0 is the run's description. */
export function partsOfRef(ref: PayloadRef): { readonly eventId: number; readonly n: number } {
  const [eventId = 0, n = 0] = ref.split(':').map(Number);
  return { eventId, n };
}

/** The placeholder that replaces a payload in an event's attributes. */
export const payloadPlaceholder = z.strictObject({ $payload: payloadRef });
export type PayloadPlaceholder = z.infer<typeof payloadPlaceholder>;

/**
 * The key that an encrypted payload names in its header. The name is not authenticated until the payload is
 * decrypted.
 */
export const keyUse = z.object({
  /** Crypto key resource name, `projects/…/cryptoKeys/…`; absent if no configured key has the key id. */
  name: z.optional(z.string()),
  /** Cloud KMS key version, from 1; absent in formats that do not record the version. */
  version: z.optional(z.int().check(z.positive())),
});
export type KeyUse = z.infer<typeof keyUse>;

export const otherNamespace = z
  .string()
  .check(
    z.describe(
      "The namespace that the message names, if it differs from the history's. The server decrypts the message only " +
        "for callers who have the operation's permission in that namespace, and give a justification if it requires one.",
    ),
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

/** Where a payload's content is stored, according to a reference that is not authenticated. */
export const storedContent = z.object({
  /** The driver's name in the application that wrote the payload. */
  driver: z.string(),
  type: z.enum(['s3', 'gcs', 'directory']),
  bucket: z.string(),
  object: z.string(),
  /** Size that the reference states. */
  bytes: z.optional(z.int().check(z.nonnegative())),
  /** Whether the configuration lets the server read the object. */
  readable: z.boolean(),
});
export type StoredContent = z.infer<typeof storedContent>;

/** What a payload's metadata and header show about it, without decryption and without a Cloud KMS call. */
export const payloadStub = z.object({
  ref: payloadRef,
  /**
   * The payload's path inside the event's attributes, or alongside the attributes (`userMetadata.summary`). In a
   * description, the path is inside `details`. Field names are in camelCase, as in `failure.cause.encodedAttributes`,
   * `input.payloads[0]` and `memo.fields.customer`. A map's key that is not an identifier is in brackets:
   * `details["patch-data"].payloads[0]`.
   */
  path: z.string(),
  /** Stored size in bytes, without metadata. */
  bytes: z.int().check(z.nonnegative()),
  /** `metadata.encoding` as stored, or empty if the payload has no encoding. */
  encoding: z.string(),
  format: payloadFormat,
  key: z.optional(keyUse),
  namespace: z.optional(otherNamespace),
  /**
   * True if the payload is bound to one workflow id, so that decoding the payload in another workflow fails with
   * `workflow_mismatch`.
   */
  boundToWorkflow: z.optional(z.literal(true)),
  /**
   * Why decoding will fail, if the header alone shows that. The reason is `namespace_not_permitted` if the caller may
   * not decode in `namespace`.
   */
  reason: z.optional(reasonCode),
  /** The stored object, if the payload is a reference to external storage. */
  stored: z.optional(storedContent),
});
export type PayloadStub = z.infer<typeof payloadStub>;

/** The format of the payload that was read from external storage, and its size in bytes without metadata. */
export const retrievedContent = z.object({ format: payloadFormat, bytes: z.int().check(z.nonnegative()) });
export type RetrievedContent = z.infer<typeof retrievedContent>;

/** A payload in proto3 JSON: metadata values and data are base64 (RFC 4648, padded). */
export const jsonPayload = z.object({
  metadata: z._default(z.record(z.string(), z.string()), {}),
  data: z._default(z.string(), ''),
});
export type JsonPayload = z.infer<typeof jsonPayload>;

/** Maximum number of refs in one `payloads:decode`. */
export const MAX_REFS = 200;

/**
 * Why a caller wants plaintext, for the audit. A justification has 1 to 500 characters, of which at least one is
 * visible. A justification is required if the namespace reveals payloads on demand, and accepted in every namespace.
 */
export const justification = z.string().check(
  // This limit applies before `trim`, because the OpenAPI document states the limit and clients send untrimmed text.
  z.maxLength(500, 'is longer than 500 characters'),
  z.trim(),
  z.minLength(1, 'is empty'),
  z.refine(hasVisibleText, 'has no visible character: write why you need the plaintext'),
);

export const decodeRequest = z.strictObject({
  refs: z.array(payloadRef).check(z.minLength(1), z.maxLength(MAX_REFS)),
  justification: z.optional(justification),
});
export type DecodeRequest = z.infer<typeof decodeRequest>;

/**
 * One payload in the response of `payloads:decode`. `warning` marks a payload that the server returns as stored. The
 * warning is `not_encrypted`, `external_reference` (the content is in external storage that the server does not
 * read), or `system_envelope` (payloads inside the envelope stay encrypted).
 */
export const decodeResult = z.discriminatedUnion('ok', [
  z.object({
    ref: payloadRef,
    ok: z.literal(true),
    payload: jsonPayload,
    key: z.optional(keyUse),
    namespace: z.optional(otherNamespace),
    warning: z.optional(reasonCode),
    retrieved: z.optional(retrievedContent),
  }),
  z.object({
    ref: payloadRef,
    ok: z.literal(false),
    reason: reasonCode,
    key: z.optional(keyUse),
    namespace: z.optional(otherNamespace),
    message: z.string(),
  }),
]);
export type DecodeResult = z.infer<typeof decodeResult>;

/**
 * The lines of the NDJSON response of `payloads:decode`: results as they become ready, then `end`. Each
 * requested ref has at most one result, and exactly one if the reason is `complete`. After any other reason,
 * or without an `end`, request the missing refs again.
 */
export const decodeFrame = z.union([
  decodeResult,
  z.object({ type: z.literal('end'), reason: endReason, message: z.optional(z.string()) }),
]);
export type DecodeFrame = z.infer<typeof decodeFrame>;
