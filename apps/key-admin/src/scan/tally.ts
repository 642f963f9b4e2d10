import {
  type PayloadFormat,
  payloadFormat,
  type ScanFindingKind,
  type ScanPlace,
} from '@temporal-kms/codec-api';
import { cryptoKeyId, type ReasonCode } from '@temporal-kms/kms-codec';
import { type HistorySummary, parseTrait, type Trait } from './history-summary.ts';
import {
  addHistory,
  type CountedByPlace,
  type CountedGap,
  MAX_KEYS,
  mergeGap,
  type MessageKeyName,
  type ScanPart,
  type TalliedHistory,
  TOO_MANY_KEYS,
} from './scan-part.ts';

type GapOfPayloads = Extract<
  Trait,
  { is: 'external_storage' | 'inner_layer' | 'unreadable' | 'not_walked' }
>['is'];

const gapMessages: Readonly<Record<GapOfPayloads, string>> = {
  external_storage:
    'References to external storage are encrypted or damaged, or belong to a driver whose objects this program cannot read.',
  inner_layer: 'Another codec encrypted or compressed payloads: they may contain messages under any key.',
  unreadable: "Some messages' headers have a version that this program does not know.",
  not_walked: "Requests to Temporal's own Nexus endpoint contain payloads that the scan does not read.",
};

/** The message of the gap if the scan was not configured to read external storage. */
const NOT_FOLLOWED =
  'Payloads are in external storage, and the scan sees only the references to them. To read their headers, start the scan and each scan worker with --external-storage FILE.';

/** The messages for objects in external storage that could not be read. */
const unreadMessages: Readonly<Partial<Record<ReasonCode, string>>> = {
  external_reference: 'The storage file lists no store for the driver of references',
  storage_not_allowed: 'The storage file does not list the bucket or the prefix of stored objects',
  malformed: 'Stored objects contain another reference to external storage, which no reader follows',
  storage_not_found: 'Stored objects are gone',
  storage_altered: 'Stored objects were altered or truncated, or no SDK stored them',
  storage_unavailable: 'External storage did not return stored objects',
};

type Message = Extract<Trait, { is: 'message' }>;

interface NeededKeyTally {
  readonly key: MessageKeyName;
  readonly formats: { [Format in PayloadFormat]?: number };
  readonly places: CountedByPlace;
}

/** Maximum number of parsed traits in memory. */
const MAX_PARSED = 10_000;

/** Adds up the summaries of a namespace's histories. */
export class NamespaceTally {
  /** The header ids of the namespace's configured crypto keys. */
  readonly #configured: ReadonlySet<string>;
  readonly #traits = new Map<string, Trait>();
  readonly #keys = new Map<string, NeededKeyTally>();
  readonly #findings = new Map<ScanFindingKind, CountedByPlace>();
  readonly #gaps = new Map<string, CountedGap>();

  /** @param keyIds the header ids of the namespace's configured crypto keys */
  constructor(keyIds: Iterable<string>) {
    this.#configured = new Set(keyIds);
  }

  /** Adds a history to each group to which its traits belong, but only once to each group. */
  add(place: ScanPlace, history: TalliedHistory, { traits }: HistorySummary): void {
    const counts = new Map<CountedByPlace, number>();
    const count = (group: CountedByPlace, payloads: number) =>
      counts.set(group, (counts.get(group) ?? 0) + payloads);
    for (const [text, payloads] of traits) {
      const trait = this.#parse(text);
      switch (trait.is) {
        case 'message':
          if (!this.#hasRoomFor(trait))
            this.#addGap({ kind: 'unreadable', place, message: TOO_MANY_KEYS }, history, payloads);
          else for (const group of this.#groupsOf(trait, payloads)) count(group, payloads);
          break;
        case 'plaintext':
        case 'failure_in_plaintext':
        case 'malformed':
          count(this.#finding(trait.is), payloads);
          break;
        case 'reference':
          this.#addGap({ kind: 'external_storage', place, message: NOT_FOLLOWED }, history, payloads);
          break;
        case 'unread_object': {
          const { object, reason } = trait;
          const message = `${unreadMessages[reason] ?? 'Stored objects could not be read'} (${reason}).`;
          const objects = [{ object, message: trait.message }];
          this.#addGap({ kind: 'external_storage', place, message, reason, objects }, history, payloads);
          break;
        }
        default:
          this.#addGap({ kind: trait.is, place, message: gapMessages[trait.is] }, history, payloads);
      }
    }
    for (const [group, payloads] of counts) addHistory(group, place, history, payloads);
  }

  toPart(): Pick<ScanPart, 'keys' | 'findings' | 'gaps'> {
    return {
      keys: [...this.#keys.values()],
      findings: [...this.#findings].map(([kind, places]) => ({ kind, places })),
      gaps: [...this.#gaps.values()],
    };
  }

  #parse(text: string): Trait {
    const known = this.#traits.get(text);
    if (known !== undefined) return known;
    const trait = parseTrait(text);
    if (this.#traits.size < MAX_PARSED) this.#traits.set(text, trait);
    return trait;
  }

  #hasRoomFor(trait: Message): boolean {
    return this.#keys.size < MAX_KEYS || this.#keys.has(JSON.stringify(keyOf(trait)));
  }

  /** Returns the groups of histories to which a message belongs. */
  #groupsOf(trait: Message, payloads: number): CountedByPlace[] {
    const format = payloadFormat.parse(trait.format);
    const key = keyOf(trait);
    const id = JSON.stringify(key);
    const known = this.#keys.get(id) ?? { key, formats: {}, places: {} };
    this.#keys.set(id, known);
    known.formats[format] = (known.formats[format] ?? 0) + payloads;
    const isNamed = key.key !== undefined || key.keyId !== undefined;
    return [
      known.places,
      ...(format === 'envelope-v2' ? [] : [this.#finding('older_format')]),
      ...(isNamed && !this.#isConfigured(key) ? [this.#finding('unknown_key')] : []),
    ];
  }

  #isConfigured({ key, keyId }: MessageKeyName): boolean {
    const id = key === undefined ? keyId : cryptoKeyId(key);
    return id !== undefined && this.#configured.has(id);
  }

  #finding(kind: ScanFindingKind): CountedByPlace {
    const group = this.#findings.get(kind) ?? {};
    this.#findings.set(kind, group);
    return group;
  }

  #addGap(gap: CountedGap, example: TalliedHistory, count: number): void {
    mergeGap(this.#gaps, { ...gap, count, example });
  }
}

/**
 * Returns the key under which a message is encrypted. An `envelope-v2` message contains the key's id, and any
 * other message contains the key's name.
 */
const keyOf = ({ key, keyId, version, staticKey }: Message): MessageKeyName => ({
  ...(key === undefined ? {} : { key }),
  ...(keyId === undefined ? {} : { keyId }),
  ...(staticKey === undefined ? {} : { staticKey }),
  ...(version === undefined ? {} : { version }),
});
