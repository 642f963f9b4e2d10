import type {
  ScanCoverage,
  ScannedByPlace,
  ScannedHistory,
  ScannedNamespace,
  ScanPlace,
} from '@temporal-kms/codec-api';
import { scanPlaces } from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import type { HistorySummary } from './history-summary.ts';
import type { References } from './stored-objects.ts';
import {
  addObjects,
  type CountedByPlace,
  type CountedGap,
  emptyPart,
  mergeParts,
  type MessageKeyName,
  type ScanPart,
  type TalliedHistory,
} from './scan-part.ts';
import { type ListedRun, ScanError } from '../temporal/scan-source.ts';
import { NamespaceTally } from './tally.ts';

type MutableGap = Omit<CountedGap, 'count'> & { count?: number | undefined };

/** Collects the findings of a scan or of a part of a scan. */
export class ScanResults {
  readonly #tally: NamespaceTally;
  readonly #gaps: MutableGap[] = [];
  readonly #looked: Record<ScanPlace, { -readonly [Field in keyof ScanCoverage]: ScanCoverage[Field] }> =
    emptyPart().looked;
  /** The ids of the runs whose payloads were counted, in any place. */
  readonly #counted = new Set<string>();
  /** The findings of other processes, or of earlier processes of the same scan. */
  #others = emptyPart();
  readonly #references: References | undefined;
  #storage: ScanPart['storage'];

  /**
   * @param keyIds the header ids of the namespace's configured crypto keys
   * @param references reads the objects to which histories refer; if undefined, each reference counts as a gap
   */
  constructor(keyIds: Iterable<string>, references?: References) {
    this.#tally = new NamespaceTally(keyIds);
    this.#references = references;
  }

  /** Records that the scan has begun to read a place, and returns the counts for the place. */
  begin(place: ScanPlace): ScanCoverage {
    // Keeps the status `partial` of a place that has already failed.
    if (this.#looked[place].status === 'none') this.#looked[place].status = 'complete';
    return this.#looked[place];
  }

  fail(place: ScanPlace): void {
    this.#looked[place].status = 'partial';
  }

  /**
   * Counts a history, with the objects to which it refers.
   * @param wasRead whether this scan read the history; false if an earlier scan read it
   */
  async count(
    place: ScanPlace,
    history: TalliedHistory,
    summary: HistorySummary,
    wasRead: boolean,
  ): Promise<void> {
    const { workflowId, runId, startTime, closeTime } = history;
    const kept = { workflowId, ...(runId === undefined ? {} : { runId }), startTime, closeTime };
    const resolved = await this.#references?.resolve(summary, place, kept);
    if (resolved !== undefined) this.#storage = addObjects(this.#storage, resolved);
    this.#tally.add(place, kept, resolved?.summary ?? summary);
    if (runId !== undefined) this.#counted.add(runId);
    const counts = this.#looked[place];
    counts.histories += 1;
    counts.payloads += summary.payloads;
    if (wasRead) counts.read += 1;
  }

  /** Returns whether this process has counted the payloads of a run. */
  hasCounted(runId: string): boolean {
    return this.#counted.has(runId);
  }

  /** Adds a gap, and returns it so that the caller can change its count. */
  addGap(gap: CountedGap): MutableGap {
    const added: MutableGap = { ...gap };
    this.#gaps.push(added);
    return added;
  }

  /** Records data that could not be read. @throws any error that is not a `ScanError` */
  miss(place: ScanPlace | undefined, error: unknown, run?: ListedRun): void {
    if (!(error instanceof ScanError)) throw error;
    if (place !== undefined) this.fail(place);
    const { kind, message } = error;
    const known = this.#gaps.find(
      (gap) => gap.kind === kind && gap.place === place && gap.message === message,
    );
    if (known !== undefined) {
      known.count = (known.count ?? 1) + 1;
      return;
    }
    this.#gaps.push({
      kind,
      message,
      ...(place === undefined ? {} : { place }),
      ...(run === undefined ? {} : { count: 1, example: { workflowId: run.workflowId, runId: run.runId } }),
    });
  }

  /** Adds the findings of another part of the scan. */
  merge(part: ScanPart): void {
    this.#others = mergeParts(this.#others, part);
  }

  toPart(): ScanPart {
    const { keys, findings, gaps } = this.#tally.toPart();
    const own = { looked: this.#looked, keys, findings, gaps: [...this.#gaps, ...gaps] };
    return mergeParts(this.#others, { ...own, ...(this.#storage && { storage: this.#storage }) });
  }
}

/**
 * Converts the counts of a part to the form of a report.
 * @param configured the namespace's configured crypto keys
 */
export function toReport(
  { looked, keys, findings, gaps, storage }: ScanPart,
  configured: readonly string[],
): Pick<ScannedNamespace, 'complete' | 'looked' | 'keys' | 'findings' | 'gaps' | 'storage'> {
  const names = new Map(configured.map((key) => [cryptoKeyId(key), key]));
  return {
    complete: gaps.length === 0 && Object.values(looked).every(({ status }) => status !== 'partial'),
    looked,
    keys: keys
      .map(({ key, formats, places }) => {
        const name = key.key ?? (key.keyId === undefined ? undefined : names.get(key.keyId));
        return {
          ...(name === undefined ? {} : { key: name }),
          ...key,
          formats,
          places: reportPlaces(places),
        };
      })
      .toSorted(compareKeys),
    findings: findings.map(({ kind, places }) => ({ kind, places: reportPlaces(places) })),
    ...(storage && { storage }),
    gaps: gaps.map(({ kind, place, message, reason, objects, count, example }) => ({
      kind,
      ...(place === undefined ? {} : { place }),
      message,
      ...(reason === undefined ? {} : { reason }),
      ...(objects === undefined ? {} : { objects }),
      ...(count === undefined ? {} : { count }),
      ...(example === undefined ? {} : { example: reportHistory(example) }),
    })),
  };
}

/** Orders keys by name and version. Keys without a name or version come last. */
function compareKeys(a: MessageKeyName, b: MessageKeyName): number {
  const [nameA, nameB] = [nameOf(a), nameOf(b)];
  if (nameA !== nameB) return nameB === '' || (nameA !== '' && nameA < nameB) ? -1 : 1;
  return (a.version ?? Number.MAX_VALUE) - (b.version ?? Number.MAX_VALUE);
}

const nameOf = ({ key = '', keyId = '', staticKey = '' }: MessageKeyName): string => key + keyId + staticKey;

function reportPlaces(counted: CountedByPlace): ScannedByPlace {
  const places: ScannedByPlace = {};
  for (const place of scanPlaces) {
    const found = counted[place];
    if (found === undefined) continue;
    places[place] = { ...found, oldest: reportHistory(found.oldest), newest: reportHistory(found.newest) };
  }
  return places;
}

const reportHistory = ({ workflowId, runId, startTime, closeTime }: TalliedHistory): ScannedHistory => ({
  workflowId,
  ...(runId === undefined ? {} : { runId }),
  ...(startTime === undefined ? {} : { startTime: new Date(startTime).toISOString() }),
  ...(closeTime === undefined ? {} : { closeTime: new Date(closeTime).toISOString() }),
});
