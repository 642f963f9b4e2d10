import type { ReasonCounts } from '@temporal-kms/codec-api';
import { sumUnreadable } from './read-on.ts';

/** What a search of payloads has covered, and what the search has cost. */
export interface SearchCounts {
  readonly events: number;
  readonly payloads: number;
  readonly bytes: number;
  readonly kmsCalls: number;
  /** Number of payloads that could not be searched, by reason code. */
  readonly unreadable: ReasonCounts;
}

export const nothingSearched: SearchCounts = {
  events: 0,
  payloads: 0,
  bytes: 0,
  kmsCalls: 0,
  unreadable: {},
};

/** Adds the counts of a request to those of earlier requests of the same search. */
export const sum = (base: SearchCounts, added: SearchCounts): SearchCounts => ({
  events: base.events + added.events,
  payloads: base.payloads + added.payloads,
  bytes: base.bytes + added.bytes,
  kmsCalls: base.kmsCalls + added.kmsCalls,
  unreadable: sumUnreadable(base, added),
});
