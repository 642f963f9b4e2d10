import type { SearchHit } from '@temporal-kms/codec-api';
import type { History } from './history.ts';

/** A match of a search: in an event's names, or in one of its decrypted payloads. */
export type Hit = { readonly in: 'names' } | { readonly in: 'payload'; readonly found: SearchHit };

/** Hits by event id, including hits in events without a visible row. */
export type Matches = ReadonlyMap<number, readonly Hit[]>;

/**
 * Splits a search term into words: an event's names must contain all of them. Returns an empty list for a
 * blank term.
 */
export const searchWords = (term: string): string[] => term.toLowerCase().split(/\s+/).filter(Boolean);

/** Returns the indexes of groups with a match. */
export function matchedGroups(matches: Matches, { owners }: History): ReadonlySet<number> {
  const found = new Set<number>();
  for (const eventId of matches.keys()) {
    const owner = owners[eventId - 1];
    if (owner !== undefined) found.add(owner);
  }
  return found;
}
