import type { StubTally } from '../../payloads/payload-keys.ts';
import type { GroupDelta, HistoryDelta } from './history-indexer.ts';
import type { Group, History, RecordedEvent } from './history.ts';
import { noParsedEvents, StoredEvent } from './stored-event.ts';

/** Creates a store that builds a history from the deltas of `createHistoryIndexer`. */
export function createHistoryStore() {
  const events: RecordedEvent[] = [];
  const groups: Group[] = [];
  const owners: number[] = [];
  const times: number[] = [];
  /** Interns names, so that equal names share one string. */
  const names = new Map<string, string>();
  const parsed = noParsedEvents();
  let lastDurable = 0;
  let tallies: readonly StubTally[] = [];

  function truncate(keep: number) {
    while (events.length > keep) {
      const event = events.pop();
      owners.pop();
      if (event) times.splice(placeOf(times, event.at) - 1, 1);
    }
    for (let last = groups.at(-1); last && last.id > keep; last = groups.at(-1)) groups.pop();
  }

  function setGroup({ eventIds, ...delta }: GroupDelta) {
    const [first, ...rest] = eventIds.flatMap((id) => events[id - 1] ?? []);
    if (!first) return;
    const known = owners[delta.id - 1] ?? -1;
    const index = known < 0 ? groups.length : known;
    const lastAt = rest.reduce((latest, { at }) => Math.max(latest, at), first.at);
    groups[index] = { ...delta, events: [first, ...rest], lastAt };
    for (const id of eventIds) owners[id - 1] = index;
  }

  return {
    apply(delta: HistoryDelta) {
      truncate(delta.keep);
      for (const event of delta.events) {
        const name = names.get(event.eventName) ?? event.eventName;
        names.set(name, name);
        events.push(new StoredEvent(event, name, parsed));
        owners.push(-1);
        // Times are nearly sorted, so the position is nearly always the end.
        times.splice(placeOf(times, event.at), 0, event.at);
      }
      for (const group of delta.groups) setGroup(group);
      ({ lastDurable, tallies } = delta);
    },
    /** Returns a copy that later deltas do not change. Unchanged groups stay the same objects. */
    snapshot: (): History => ({
      events: events.slice(),
      groups: groups.slice(),
      owners: owners.slice(),
      times: times.slice(),
      lastDurable,
      tallies,
    }),
    get lastDurable() {
      return lastDurable;
    },
    get length() {
      return events.length;
    },
  };
}

/** Returns the position at which to insert a time into ascending times, after equal times. */
function placeOf(times: readonly number[], at: number): number {
  let low = 0;
  let high = times.length;
  if (high === 0 || at >= (times[high - 1] ?? 0)) return high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
