import { payloadRefOf, type SearchHit } from '@temporal-kms/codec-api';

/** A hit in the first payload of an event, as the server sends it. */
export const hit = (eventId: number): SearchHit & { readonly type: 'hit' } => ({
  type: 'hit',
  ref: payloadRefOf(eventId, 0),
  eventId,
  path: 'input.payloads[0]',
  pointer: '/a',
  in: 'value',
  matches: 1,
  snippet: { before: '0', match: 'x', after: '0' },
});
