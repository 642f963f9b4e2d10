import {
  escapeInText,
  escapeInvisible,
  type KeyUse,
  type PayloadFormat,
  type PayloadRef,
  type PayloadStub,
  reasonClass,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import { reasonText } from './reasons.ts';

/** Facts about a payload that are not in its stub, and that the page learned by decoding. */
export interface Finding {
  readonly reason?: ReasonCode;
  readonly key?: KeyUse;
  /** The format of the object that was read from external storage. */
  readonly format?: PayloadFormat;
}
/** Findings by payload ref. */
export type Findings = ReadonlyMap<PayloadRef, Finding>;

export type KeyTone = 'crypto' | 'bad' | 'dead' | 'retry' | 'none';

export interface KeyBadge {
  /** The badge's text, such as `v7`, `v6 v7`, `v3 disabled` or `plaintext`. */
  readonly label: string;
  readonly tone: KeyTone;
  /** The tooltip: the full resource names of the keys, or why payloads cannot be decrypted. */
  readonly title: string;
}

const tones: Readonly<Record<string, KeyTone>> = {
  pending: 'bad',
  failed: 'dead',
  'timed-out': 'retry',
  neutral: 'none',
};

const formatOf = (stub: PayloadStub, findings: Findings) => findings.get(stub.ref)?.format ?? stub.format;

/** Returns whether a payload contains ciphertext, according to its format. */
export const isEncrypted = (stub: PayloadStub, findings: Findings) =>
  !['plain', 'external'].includes(formatOf(stub, findings));

/**
 * Returns a payload's stored size. For a reference, the size is that of the stored object according to the
 * reference.
 */
export const storedBytes = (stub: PayloadStub): number => stub.stored?.bytes ?? stub.bytes;

export const reasonOf = (stub: PayloadStub, findings: Findings): ReasonCode | undefined =>
  findings.get(stub.ref)?.reason ?? stub.reason;

/** Returns whether a reason code prevents decryption. Informational codes do not prevent it. */
export function isUnreadable(reason: ReasonCode | undefined): reason is ReasonCode {
  return reason !== undefined && reasonClass(reason) !== 'information';
}

const keyOf = (stub: PayloadStub, findings: Findings) => findings.get(stub.ref)?.key ?? stub.key;

/** The label of a payload whose format does not record the key version. */
export const UNRECORDED_VERSION = 'v?';

/**
 * Returns a key's label, such as `v7`. The label is `v?` if the format does not record the key version,
 * `static` for a static key, which has no version, and `stored` for a payload in external storage whose key
 * is not known.
 */
function shortKey(format: PayloadFormat, key: KeyUse | undefined): string {
  if (key?.version !== undefined) return `v${key.version}`;
  if (format === 'external') return 'stored';
  return format === 'static' ? 'static' : UNRECORDED_VERSION;
}

const UNRECORDED = ' (this format does not record the key version)';

/**
 * Returns one badge for all readable payloads, then one for each key version with unreadable payloads, and
 * one for plaintext.
 *
 * @param words whether labels contain the reason; each reason of a key version then has a separate badge
 * @param plaintext whether a failure that belongs to the payloads is not encrypted
 */
export function keyBadges(
  stubs: readonly PayloadStub[],
  findings: Findings,
  words = false,
  plaintext = false,
): KeyBadge[] {
  const good = new Map<string, string>();
  const troubles = new Map<string, KeyBadge>();
  let isPlaintext = plaintext;
  for (const stub of stubs) {
    const reason = reasonOf(stub, findings);
    const key = keyOf(stub, findings);
    const short = shortKey(formatOf(stub, findings), key);
    if (isUnreadable(reason)) {
      const { title: text, tone } = reasonText(reason);
      const label = words ? `${short} ${badgeWord(reason)}` : short;
      troubles.set(label, {
        label,
        tone: tones[tone] ?? 'bad',
        title: escapeInvisible(`${key?.name ?? 'Unknown key'}: ${text}`),
      });
    } else if (isEncrypted(stub, findings)) {
      good.set(short, `${key?.name ?? 'Unknown key'}${short === UNRECORDED_VERSION ? UNRECORDED : ''}`);
    } else if (reason === 'not_encrypted') {
      isPlaintext = true;
    }
  }
  // During a Cloud KMS outage, a key version may have readable and unreadable payloads. If both would have
  // the same label, only the badge of the unreadable payloads is shown.
  const labels = [...good.keys()].filter((label) => !troubles.has(label)).toSorted(byVersion);
  const readable: KeyBadge[] =
    labels.length > 0
      ? [
          {
            label: labels.join(' '),
            tone: 'crypto',
            title: escapeInText([...new Set(good.values())].join('\n')),
          },
        ]
      : [];
  if (isPlaintext)
    troubles.set('', { label: words ? 'plaintext' : 'plain', tone: 'none', title: 'Not encrypted' });
  return [...readable, ...troubles.values()];
}

/** Returns a row's badges. If a run uses only one key, its header shows the key, so rows show only what differs. */
export const rowBadges = (
  stubs: readonly PayloadStub[],
  findings: Findings,
  { keys }: KeyUsage,
  plaintext = false,
): KeyBadge[] =>
  keyBadges(stubs, findings, false, plaintext).filter(({ tone }) => keys > 1 || tone !== 'crypto');

const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** Returns a reason code as a word: `key_disabled` → `disabled`, because `key` is redundant after a key version. */
const badgeWord = (reason: ReasonCode) => reasonText(reason).title.replace(/^Key /, '').toLowerCase();

export interface KeyShare {
  readonly label: string;
  readonly count: number;
  readonly tone: KeyTone;
}

export interface KeyUsage {
  readonly shares: readonly KeyShare[];
  /** Number of key versions that protect the payloads. */
  readonly keys: number;
  readonly encrypted: number;
  readonly unreadable: number;
  /** Number of payloads and failures stored in plaintext although they should be encrypted. */
  readonly plaintext: number;
}

/**
 * How many of a run's payloads share a key version and reason, and their stored bytes; or the same for the
 * run's plaintext failures.
 */
export interface StubTally {
  readonly label: string;
  /** The full resource name of the key. */
  readonly key?: string | undefined;
  readonly encrypted: boolean;
  readonly reason?: ReasonCode | undefined;
  readonly count: number;
  readonly bytes: number;
}

/** The label of failures that are not encrypted. Payloads have the label of their key version. */
const PLAINTEXT_FAILURE = 'failure';

export const isPayloadTally = ({ label }: StubTally): boolean => label !== PLAINTEXT_FAILURE;

/** Adds `count` failures that are not encrypted to the tallies. */
export function addPlaintextFailures(tallies: Map<string, StubTally>, count: number): void {
  if (count !== 0)
    add(tallies, { label: PLAINTEXT_FAILURE, reason: 'not_encrypted', encrypted: false, count, bytes: 0 });
}

/** Adds `count` payloads like `stub` to the tallies. A negative count subtracts the payloads. */
export function addStub(tallies: Map<string, StubTally>, stub: PayloadStub, count: number): void {
  addPayload(tallies, stub, noFindings, count);
}

const noFindings: Findings = new Map();

function addPayload(
  tallies: Map<string, StubTally>,
  stub: PayloadStub,
  findings: Findings,
  count: number,
): void {
  const key = keyOf(stub, findings);
  add(tallies, {
    label: shortKey(formatOf(stub, findings), key),
    key: key?.name,
    reason: reasonOf(stub, findings),
    encrypted: isEncrypted(stub, findings),
    count,
    bytes: count * stub.bytes,
  });
}

function add(tallies: Map<string, StubTally>, added: StubTally): void {
  const id = tallyId(added);
  const { count = 0, bytes = 0 } = tallies.get(id) ?? {};
  tallies.set(id, { ...added, count: count + added.count, bytes: bytes + added.bytes });
}

const tallyId = ({ label, key, reason, encrypted }: Omit<StubTally, 'count' | 'bytes'>): string =>
  `${label} ${key} ${reason} ${encrypted}`;

/**
 * Counts payloads by key version: most used version first, unreadable payloads last. The tallies count stubs,
 * and findings correct the counts.
 */
export function keyUsage(
  tallies: readonly StubTally[],
  findings: Findings,
  stubOf: (ref: PayloadRef) => PayloadStub | undefined,
): KeyUsage {
  const corrected = new Map(tallies.map((tally) => [tallyId(tally), tally]));
  for (const ref of findings.keys()) {
    const stub = stubOf(ref);
    if (!stub) continue;
    addPayload(corrected, stub, noFindings, -1);
    addPayload(corrected, stub, findings, 1);
  }
  const good = new Map<string, number>();
  const bad = new Map<string, KeyShare>();
  const keys = new Set<string>();
  let encrypted = 0;
  let unreadable = 0;
  let plaintext = 0;
  for (const { label, key, reason, count, encrypted: isCipher } of corrected.values()) {
    if (count <= 0) continue;
    if (reason === 'not_encrypted') plaintext += count;
    if (isCipher || isUnreadable(reason)) encrypted += count;
    if (isCipher) keys.add(`${key} ${label}`);
    if (isUnreadable(reason)) {
      unreadable += count;
      const tone = tones[reasonText(reason).tone] ?? 'bad';
      bad.set(label, { label, tone, count: (bad.get(label)?.count ?? 0) + count });
    } else if (isCipher) {
      good.set(label, (good.get(label) ?? 0) + count);
    }
  }
  const shares = [...good]
    .toSorted((a, b) => b[1] - a[1])
    .map(([label, count]): KeyShare => ({ label, count, tone: 'crypto' }));
  return { shares: [...shares, ...bad.values()], keys: keys.size, encrypted, unreadable, plaintext };
}
