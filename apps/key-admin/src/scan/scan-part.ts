import type {
  NeededKey,
  PayloadFormat,
  ScanCoverage,
  ScanFindingKind,
  ScanGap,
  ScanPlace,
} from '@temporal-kms/codec-api';

/*
 * The findings of a part of a scan, as JSON: counts and examples. The size of the findings does not depend on
 * the number of histories. This file imports no code, so that workflows can also add up parts.
 */

/** A scanned history. Times are milliseconds since 1970. */
export interface TalliedHistory {
  readonly workflowId: string;
  readonly runId?: string;
  readonly startTime?: number | undefined;
  readonly closeTime?: number | undefined;
}

/** A group of histories in one place. */
interface CountedHistories {
  readonly histories: number;
  readonly payloads: number;
  readonly oldest: TalliedHistory;
  readonly newest: TalliedHistory;
}

export type CountedByPlace = { [Place in ScanPlace]?: CountedHistories };

/** A key's name as it appears in messages, without the names that only a configuration contains. */
export type MessageKeyName = Pick<NeededKey, 'key' | 'keyId' | 'staticKey' | 'version'>;

interface CountedKey {
  readonly key: MessageKeyName;
  readonly formats: { [Format in PayloadFormat]?: number };
  readonly places: CountedByPlace;
}

interface CountedFinding {
  readonly kind: ScanFindingKind;
  readonly places: CountedByPlace;
}

export interface CountedGap extends Omit<ScanGap, 'count' | 'example'> {
  readonly count?: number | undefined;
  readonly example?: TalliedHistory | undefined;
}

/** The number of objects in external storage to which histories refer, and the number of requests for these objects. */
interface CountedObjects {
  readonly objects: number;
  readonly requests: number;
}

export interface ScanPart {
  readonly looked: Record<ScanPlace, ScanCoverage>;
  readonly keys: readonly CountedKey[];
  readonly findings: readonly CountedFinding[];
  readonly gaps: readonly CountedGap[];
  /** The stored objects; absent if the scan does not read external storage. */
  readonly storage?: CountedObjects;
}

const nothingLookedAt = (): ScanCoverage => ({ status: 'none', histories: 0, read: 0, payloads: 0 });

export const emptyPart = (): ScanPart => ({
  looked: {
    open: nothingLookedAt(),
    closed: nothingLookedAt(),
    schedules: nothingLookedAt(),
    archived: nothingLookedAt(),
    exports: nothingLookedAt(),
  },
  keys: [],
  findings: [],
  gaps: [],
});

/** Maximum number of keys and versions in a report. Headers are not verified, and can name any number of keys. */
export const MAX_KEYS = 1_000;
export const TOO_MANY_KEYS = 'Messages name too many keys and versions: the report does not list them all.';
/**
 * Maximum size of a part's keys as JSON, in bytes. The progress of a scan on Temporal contains two parts, and
 * Temporal stores no payload larger than 2 MB: https://docs.temporal.io/cloud/limits
 */
const MAX_KEY_BYTES = 950_000;
/** Maximum size of a key's counts and examples as JSON, without workflow ids, in bytes. */
const COUNTS_BYTES = 750;
/** Maximum number of different gaps in a part. Gaps beyond this number are added to the count of the last gap. */
const MAX_GAPS = 200;
/** Maximum number of objects that a gap names. */
const MAX_OBJECTS = 5;

/** Returns the sum of two parts. */
export function mergeParts(a: ScanPart, b: ScanPart): ScanPart {
  const keys = new Map(a.keys.map((one) => [JSON.stringify(one.key), one]));
  let bytes = 0;
  for (const id of keys.keys()) bytes += bytesOf(id);
  const gaps = new Map<string, CountedGap>();
  for (const gap of a.gaps) mergeGap(gaps, gap);
  for (const one of b.keys) {
    const id = JSON.stringify(one.key);
    const known = keys.get(id);
    if (known !== undefined) keys.set(id, mergeKeys(known, one));
    else if (keys.size < MAX_KEYS && bytes + bytesOf(id) <= MAX_KEY_BYTES) {
      bytes += bytesOf(id);
      keys.set(id, one);
    } else for (const gap of unlisted(one.places)) mergeGap(gaps, gap);
  }
  for (const gap of b.gaps) mergeGap(gaps, gap);
  const findings = new Map(a.findings.map((one) => [one.kind, one]));
  for (const { kind, places } of b.findings)
    findings.set(kind, { kind, places: mergePlaces(findings.get(kind)?.places ?? {}, places) });
  return {
    looked: {
      open: mergeCoverage(a.looked.open, b.looked.open),
      closed: mergeCoverage(a.looked.closed, b.looked.closed),
      schedules: mergeCoverage(a.looked.schedules, b.looked.schedules),
      archived: mergeCoverage(a.looked.archived, b.looked.archived),
      exports: mergeCoverage(a.looked.exports, b.looked.exports),
    },
    keys: [...keys.values()],
    findings: [...findings.values()],
    gaps: [...gaps.values()],
    ...((a.storage ?? b.storage) && { storage: addObjects(a.storage, b.storage) }),
  };
}

const nothingStored: CountedObjects = { objects: 0, requests: 0 };

export const addObjects = (a = nothingStored, b = nothingStored): CountedObjects => ({
  objects: a.objects + b.objects,
  requests: a.requests + b.requests,
});

/** Returns the size of a key in a part, in bytes. `id` is the text of the key's name. */
const bytesOf = (id: string): number => encoder.encode(id).length + COUNTS_BYTES;
const encoder = new TextEncoder();

/** Adds a history to a group of histories. */
export function addHistory(
  places: CountedByPlace,
  place: ScanPlace,
  history: TalliedHistory,
  payloads: number,
): void {
  const one = { histories: 1, payloads, oldest: history, newest: history };
  const known = places[place];
  places[place] = known === undefined ? one : mergeCounts(place, known, one);
}

export function mapHistories(part: ScanPart, replace: (history: TalliedHistory) => TalliedHistory): ScanPart {
  const inPlaces = (places: CountedByPlace): CountedByPlace =>
    Object.fromEntries(
      Object.entries(places).map(([place, counts]) => [
        place,
        { ...counts, oldest: replace(counts.oldest), newest: replace(counts.newest) },
      ]),
    );
  return {
    ...part,
    keys: part.keys.map((one) => ({ ...one, places: inPlaces(one.places) })),
    findings: part.findings.map((one) => ({ ...one, places: inPlaces(one.places) })),
    gaps: part.gaps.map((gap) =>
      gap.example === undefined ? gap : { ...gap, example: replace(gap.example) },
    ),
  };
}

function mergeCounts(place: ScanPlace, a: CountedHistories, b: CountedHistories): CountedHistories {
  // A history whose end is unknown counts as the newest, because it may be the newest.
  const unknown = place === 'open' || place === 'schedules' ? 0 : Infinity;
  return {
    histories: a.histories + b.histories,
    payloads: a.payloads + b.payloads,
    oldest: compare(b.oldest, a.oldest, 0) < 0 ? b.oldest : a.oldest,
    newest: compare(b.newest, a.newest, unknown) > 0 ? b.newest : a.newest,
  };
}

/** Orders histories by time and then by id, so that the result does not depend on the order in which parts are merged. */
function compare(a: TalliedHistory, b: TalliedHistory, unknown: number): number {
  const [timeA, timeB] = [timeOf(a, unknown), timeOf(b, unknown)];
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  const [idA, idB] = [a.runId ?? a.workflowId, b.runId ?? b.workflowId];
  return idA === idB ? 0 : idA < idB ? -1 : 1;
}

const timeOf = ({ startTime = 0, closeTime }: TalliedHistory, unknown: number): number =>
  closeTime ?? Math.max(startTime, unknown);

function mergePlaces(a: CountedByPlace, b: CountedByPlace): CountedByPlace {
  const merged = { ...a };
  for (const place of placesOf(b)) {
    const [known, more] = [a[place], b[place]];
    if (more !== undefined) merged[place] = known === undefined ? more : mergeCounts(place, known, more);
  }
  return merged;
}

function mergeKeys(a: CountedKey, b: CountedKey): CountedKey {
  const formats = { ...a.formats };
  for (const [format, count] of entriesOf(b.formats)) formats[format] = (formats[format] ?? 0) + count;
  return { key: a.key, formats, places: mergePlaces(a.places, b.places) };
}

/** Adds a gap, and combines it with a gap of the same kind, place and message. */
export function mergeGap(gaps: Map<string, CountedGap>, gap: CountedGap): void {
  const own = `${gap.kind} ${gap.place ?? ''} ${gap.message}`;
  const id = gaps.has(own) || gaps.size < MAX_GAPS ? own : [...gaps.keys()].at(-1);
  const known = id === undefined ? undefined : gaps.get(id);
  if (known === undefined) gaps.set(own, gap);
  else {
    const count = (known.count ?? 1) + (gap.count ?? 1);
    gaps.set(id ?? own, { ...known, count, ...(id === own && gap.objects && mergeObjects(known, gap)) });
  }
}

/**
 * Returns the objects that come first by name, so that the result does not depend on the order in which parts are
 * merged.
 */
function mergeObjects({ objects: a = [] }: CountedGap, { objects: b = [] }: CountedGap) {
  const byName = new Map([...a, ...b].map((one) => [one.object, one]));
  const objects = [...byName.values()].toSorted((one, other) => (one.object < other.object ? -1 : 1));
  return { objects: objects.slice(0, MAX_OBJECTS) };
}

/**
 * Returns a gap with only the hashes in its objects' names, because the rest of a name contains a workflow
 * id.
 */
export function withoutNames<Gap extends Pick<ScanGap, 'objects' | 'reason'>>(gap: Gap): Gap {
  const { objects, reason } = gap;
  if (objects === undefined) return gap;
  const hashes = objects.map(({ object }) => `…/${object.slice(object.lastIndexOf('/') + 1)}`);
  return {
    ...gap,
    objects: hashes.map((object) => ({
      object,
      message: `The object ${object} could not be read (${reason}).`,
    })),
  };
}

const unlisted = (places: CountedByPlace): CountedGap[] =>
  placesOf(places).map((place) => ({
    kind: 'unreadable',
    place,
    message: TOO_MANY_KEYS,
    count: places[place]?.payloads,
    example: places[place]?.oldest,
  }));

const order = { none: 0, complete: 1, partial: 2 } as const;

const mergeCoverage = (a: ScanCoverage, b: ScanCoverage): ScanCoverage => ({
  status: order[a.status] < order[b.status] ? b.status : a.status,
  histories: a.histories + b.histories,
  read: a.read + b.read,
  payloads: a.payloads + b.payloads,
});

const entriesOf = <Key extends string, Value>(of: { [K in Key]?: Value }): [Key, Value][] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- these objects have no other keys
  Object.entries(of) as [Key, Value][];

const placesOf = (places: CountedByPlace): ScanPlace[] => entriesOf(places).map(([place]) => place);
