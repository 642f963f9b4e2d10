import { z } from 'zod';
import { streamEnd } from './ends.ts';
import { keyUse, payloadRef, justification } from './payload.ts';
import { reasonCounts } from './reasons.ts';

/** At most this many values and keys that match are told in one search; it then ends with `limit`. */
export const MAX_HITS = 1_000;

/** Characters. At each place of a crafted payload a crafted text may be compared nearly to its end. */
const MAX_TEXT = 200;

/** `POST …/runs/{runId}/history:search`: looks for text in the run's payloads, decrypted on the server. */
export const searchRequest = z.strictObject({
  /** Literal, no pattern. */
  text: z.string().min(1).max(MAX_TEXT),
  caseSensitive: z.boolean().default(false),
  order: z.enum(['newest_first', 'oldest_first']).default('newest_first'),
  /** Where an earlier search of the same order ended: begins with the event behind it. */
  after: z.number().int().nonnegative().optional(),
  justification: justification.optional(),
});
export type SearchRequest = z.infer<typeof searchRequest>;

/** How many characters are masked, roughly: a count would tell more than a search needs to. */
const maskedLength = z.enum(['0', '1-4', '5-16', '17-64', '65+']);
export type MaskedLength = z.infer<typeof maskedLength>;

/** A value or a key that holds the text, or a whole body where the payload is no JSON. */
export const searchHit = z.object({
  type: z.literal('hit'),
  ref: payloadRef,
  eventId: z.number().int().positive(),
  /** Where the payload stands in its event, as in a stub. */
  path: z.string(),
  /** Where in the decoded payload, a JSON Pointer (RFC 6901); empty for the whole of it. */
  pointer: z.string(),
  in: z.enum(['key', 'value']),
  /** How often it holds the text. */
  matches: z.number().int().positive(),
  /** The first match as it is written there, and how much stands around it. Nothing else of the content. */
  snippet: z.object({ before: maskedLength, match: z.string(), after: maskedLength }),
  key: keyUse.optional(),
  /** On the last hit of a payload that has more: so many keys and values that match are left out. */
  more: z.number().int().positive().optional(),
});
export type SearchHit = z.infer<typeof searchHit>;

const searched = {
  /** Events looked at. */
  events: z.number().int().nonnegative(),
  /** Payloads opened, and their bytes as stored. */
  payloads: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  /** Payloads that could not be opened, or took too much to be searched (`too_large`), by reason: the text may stand in them. */
  unreadable: reasonCounts,
};

/** The lines of the answer, in the order that was asked for; the last is `end`. */
export const searchFrame = z.discriminatedUnion('type', [
  searchHit,
  z.object({
    type: z.literal('progress'),
    after: z.number().int().nonnegative(),
    /** Events that the run had when the search began. */
    of: z.number().int().nonnegative(),
    ...searched,
  }),
  streamEnd.extend({ hits: z.number().int().nonnegative(), ...searched }),
]);
export type SearchFrame = z.infer<typeof searchFrame>;
