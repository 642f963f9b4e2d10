import {
  type NeededKey,
  type PayloadFormat,
  payloadFormat,
  type ScanFinding,
  type ScanFindingKind,
  type ScanGap,
  type ScannedByPlace,
  type ScannedHistories,
  type ScannedHistory,
  scanPlaces,
  type ScanPlace,
} from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import type { HistorySummary, Trait } from './history-summary.ts';

/** A history that was looked at. Times are milliseconds since 1970. */
export interface TalliedHistory {
  readonly workflowId: string;
  readonly runId?: string;
  readonly startTime?: number | undefined;
  readonly closeTime?: number | undefined;
}

/** Counts histories that have a trait, by place. */
class Group {
  readonly #places = new Map<
    ScanPlace,
    { histories: number; payloads: number; oldest: TalliedHistory; newest: TalliedHistory }
  >();

  add(place: ScanPlace, history: TalliedHistory, payloads: number): void {
    const known = this.#places.get(place);
    if (known === undefined) {
      this.#places.set(place, { histories: 1, payloads, oldest: history, newest: history });
      return;
    }
    known.histories += 1;
    known.payloads += payloads;
    if (timeOf(history, 0) < timeOf(known.oldest, 0)) known.oldest = history;
    // A history that ended at an unknown time may be the newest.
    const unknown = place === 'open' || place === 'schedules' ? 0 : Infinity;
    if (timeOf(history, unknown) > timeOf(known.newest, unknown)) known.newest = history;
  }

  byPlace(): ScannedByPlace {
    const places: Partial<Record<ScanPlace, ScannedHistories>> = {};
    for (const place of scanPlaces) {
      const found = this.#places.get(place);
      if (found === undefined) continue;
      places[place] = { ...found, oldest: toReport(found.oldest), newest: toReport(found.newest) };
    }
    return places;
  }
}

const timeOf = ({ startTime = 0, closeTime }: TalliedHistory, unknown: number): number =>
  closeTime ?? Math.max(startTime, unknown);

function toReport({ workflowId, runId, startTime, closeTime }: TalliedHistory): ScannedHistory {
  return {
    workflowId,
    ...(runId === undefined ? {} : { runId }),
    ...(startTime === undefined ? {} : { startTime: new Date(startTime).toISOString() }),
    ...(closeTime === undefined ? {} : { closeTime: new Date(closeTime).toISOString() }),
  };
}

type Key = Omit<NeededKey, 'formats' | 'places'>;
type GapOfPayloads = Extract<
  Trait,
  { is: 'external_storage' | 'inner_layer' | 'unreadable' | 'not_walked' }
>['is'];

const gapMessages: Readonly<Record<GapOfPayloads, string>> = {
  external_storage: 'Payloads are in external storage: the scan sees only the references to them.',
  inner_layer: 'Another codec encrypted or compressed payloads: messages under any key may be inside them.',
  unreadable: 'Messages have a header of a version that this program does not know.',
  not_walked: "Requests to Temporal's own Nexus endpoint contain payloads that the scan does not read.",
};

const TOO_MANY_KEYS = 'Messages name too many keys and versions: the report does not list them all.';

/** Keys and versions that a report lists. Headers are claims, so a program can name any number of them. */
const MAX_KEYS = 1_000;
/** Traits that are kept parsed. */
const MAX_PARSED = 10_000;

/** Adds up the summaries of the histories of a namespace. */
export class NamespaceTally {
  /** Crypto keys of the namespace's configuration, by their ids in headers. */
  readonly #configured: ReadonlyMap<string, string>;
  readonly #traits = new Map<string, Trait>();
  readonly #keys = new Map<
    string,
    { readonly key: Key; readonly formats: Map<PayloadFormat, number>; readonly group: Group }
  >();
  readonly #findings = new Map<ScanFindingKind, Group>();
  readonly #gaps = new Map<
    string,
    { kind: GapOfPayloads; place: ScanPlace; count: number; message: string; example: TalliedHistory }
  >();

  /** @param keys the crypto keys of the namespace's configuration */
  constructor(keys: readonly string[]) {
    this.#configured = new Map(keys.map((key) => [cryptoKeyId(key), key]));
  }

  /** Adds a history, once to each group that it belongs to, however many of its traits lead there. */
  add(place: ScanPlace, history: TalliedHistory, { traits }: HistorySummary): void {
    const counts = new Map<Group, number>();
    const count = (group: Group, payloads: number) => counts.set(group, (counts.get(group) ?? 0) + payloads);
    for (const [text, payloads] of traits) {
      const trait = this.#parse(text);
      switch (trait.is) {
        case 'message':
          if (!this.#hasRoomFor(trait)) this.#addGap('unreadable', place, history, payloads, TOO_MANY_KEYS);
          else for (const group of this.#groupsOf(trait, payloads)) count(group, payloads);
          break;
        case 'plaintext':
        case 'failure_in_plaintext':
        case 'malformed':
          count(this.#finding(trait.is), payloads);
          break;
        default:
          this.#addGap(trait.is, place, history, payloads);
      }
    }
    for (const [group, payloads] of counts) group.add(place, history, payloads);
  }

  get keys(): NeededKey[] {
    return [...this.#keys.values()].map(({ key, formats, group }) => ({
      ...key,
      formats: Object.fromEntries(formats),
      places: group.byPlace(),
    }));
  }

  get findings(): ScanFinding[] {
    return [...this.#findings].map(([kind, group]) => ({ kind, places: group.byPlace() }));
  }

  get gaps(): ScanGap[] {
    return [...this.#gaps.values()].map(({ kind, place, count, message, example }) => ({
      kind,
      place,
      count,
      message,
      example: toReport(example),
    }));
  }

  #parse(text: string): Trait {
    const known = this.#traits.get(text);
    if (known !== undefined) return known;
    const trait: Trait = JSON.parse(text);
    if (this.#traits.size < MAX_PARSED) this.#traits.set(text, trait);
    return trait;
  }

  #hasRoomFor(trait: Extract<Trait, { is: 'message' }>): boolean {
    return this.#keys.size < MAX_KEYS || this.#keys.has(JSON.stringify(this.#keyOf(trait)));
  }

  /** Returns the groups of histories to which a message belongs. */
  #groupsOf(trait: Extract<Trait, { is: 'message' }>, payloads: number): Group[] {
    const format = payloadFormat.parse(trait.format);
    const key = this.#keyOf(trait);
    const id = JSON.stringify(key);
    const known = this.#keys.get(id) ?? {
      key,
      formats: new Map<PayloadFormat, number>(),
      group: new Group(),
    };
    this.#keys.set(id, known);
    known.formats.set(format, (known.formats.get(format) ?? 0) + payloads);
    const isNamed = key.key !== undefined || key.keyId !== undefined;
    return [
      known.group,
      ...(format === 'envelope-v2' ? [] : [this.#finding('older_format')]),
      ...(isNamed && !this.#isConfigured(key) ? [this.#finding('unknown_key')] : []),
    ];
  }

  #keyOf({ key, keyId, version, staticKey }: Extract<Trait, { is: 'message' }>): Key {
    const name = key ?? (keyId === undefined ? undefined : this.#configured.get(keyId));
    return {
      ...(name === undefined ? {} : { key: name }),
      ...(keyId === undefined ? {} : { keyId }),
      ...(staticKey === undefined ? {} : { staticKey }),
      ...(version === undefined ? {} : { version }),
    };
  }

  #isConfigured({ key }: Key): boolean {
    return key !== undefined && this.#configured.has(cryptoKeyId(key));
  }

  #finding(kind: ScanFindingKind): Group {
    const group = this.#findings.get(kind) ?? new Group();
    this.#findings.set(kind, group);
    return group;
  }

  #addGap(
    kind: GapOfPayloads,
    place: ScanPlace,
    history: TalliedHistory,
    count: number,
    message = gapMessages[kind],
  ): void {
    const id = `${place} ${message}`;
    const known = this.#gaps.get(id);
    if (known === undefined) this.#gaps.set(id, { kind, place, count, message, example: history });
    else known.count += count;
  }
}
