import type { SearchHit } from '@temporal-kms/codec-api';
import type { History } from './history.ts';

/** A place that matches a search: the names of an event, or a place in one of its decrypted payloads. */
export type Hit = { readonly in: 'names' } | { readonly in: 'payload'; readonly found: SearchHit };

/** Hits by event id, whatever rows are on the screen. */
export type Matches = ReadonlyMap<number, readonly Hit[]>;

/** The words of a search in names: an event must contain all of them. Empty for a blank term. */
export const searchWords = (term: string): string[] => term.toLowerCase().split(/\s+/).filter(Boolean);

/** The groups with a match. */
export function matchedGroups(matches: Matches, { owners }: History): ReadonlySet<number> {
  const found = new Set<number>();
  for (const eventId of matches.keys()) {
    const owner = owners[eventId - 1];
    if (owner !== undefined) found.add(owner);
  }
  return found;
}
