import {
  escapeInText,
  escapeInvisible,
  type KeyUse,
  type PayloadStub,
  type ReasonCode,
  reasonClass,
} from '@temporal-kms/codec-api';
import { reasonTexts } from './reasons.ts';

/** What opening (or failing to open) a payload told beyond its stub. */
export interface Finding {
  readonly reason?: ReasonCode;
  readonly key?: KeyUse;
}
export type Findings = ReadonlyMap<string, Finding>;

export type KeyTone = 'crypto' | 'bad' | 'dead' | 'retry' | 'none';

export interface KeyBadge {
  /** `v7`, `v6 v7`, `v3 disabled`, `plaintext`. */
  readonly label: string;
  readonly tone: KeyTone;
  /** Resource names in full. */
  readonly title: string;
}

const tones: Readonly<Record<string, KeyTone>> = {
  pending: 'bad',
  failed: 'dead',
  'timed-out': 'retry',
  neutral: 'none',
};

/** True when the payload holds, or should hold, something sealed. */
export const isSealed = (stub: PayloadStub) => stub.format !== 'plain' && stub.format !== 'external';

export const reasonOf = (stub: PayloadStub, findings: Findings): ReasonCode | undefined =>
  findings.get(stub.ref)?.reason ?? stub.reason;

/** A reason because of which there is no plaintext; `not_encrypted` and references are readable as they are. */
export function isUnreadable(reason: ReasonCode | undefined): reason is ReasonCode {
  return reason !== undefined && reasonClass(reason) !== 'information';
}

const keyOf = (stub: PayloadStub, findings: Findings) => findings.get(stub.ref)?.key ?? stub.key;

/** `v?` where the format doesn't record the version; a static key has none. */
function shortKey(stub: PayloadStub, key: KeyUse | undefined): string {
  if (key?.version !== undefined) return `v${key.version}`;
  return stub.format === 'static' ? 'static' : 'v?';
}

/** One badge for what can be read, one for each way in which something can't; the worst last, as it is widest. */
export function keyBadges(stubs: readonly PayloadStub[], findings: Findings, words = false): KeyBadge[] {
  const good = new Map<string, string>();
  const troubles = new Map<string, KeyBadge>();
  let plaintext: KeyBadge | undefined;
  for (const stub of stubs) {
    const reason = reasonOf(stub, findings);
    const key = keyOf(stub, findings);
    const short = shortKey(stub, key);
    if (isUnreadable(reason)) {
      const { short: text, tone } = reasonTexts[reason];
      const label = words ? `${short} ${badgeWord(reason)}` : short;
      troubles.set(label, {
        label,
        tone: tones[tone] ?? 'bad',
        title: escapeInvisible(`${key?.name ?? 'Unknown key'}: ${text}`),
      });
    } else if (isSealed(stub)) {
      good.set(short, key?.name ?? 'Unknown key');
    } else if (reason === 'not_encrypted') {
      plaintext = { label: words ? 'plaintext' : 'plain', tone: 'none', title: 'Not encrypted' };
    }
  }
  // One version can be both, while Cloud KMS is out of reach: the worse is told.
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
  return [...readable, ...troubles.values(), ...(plaintext && labels.length === 0 ? [plaintext] : [])];
}

const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

/** `key_disabled` → `disabled`: beside a key version the word `key` says nothing. */
const badgeWord = (reason: ReasonCode) => reasonTexts[reason].short.replace(/^Key /, '').toLowerCase();

export interface KeyShare {
  readonly label: string;
  readonly count: number;
  readonly tone: KeyTone;
}

export interface KeyUsage {
  readonly shares: readonly KeyShare[];
  readonly sealed: number;
  readonly unreadable: number;
}

/** How many payloads each key version protects, most first, and those that can't be read last. */
export function keyUsage(stubs: readonly PayloadStub[], findings: Findings): KeyUsage {
  const good = new Map<string, number>();
  const bad = new Map<string, KeyShare>();
  let sealed = 0;
  let unreadable = 0;
  for (const stub of stubs) {
    const reason = reasonOf(stub, findings);
    const short = shortKey(stub, keyOf(stub, findings));
    if (isSealed(stub) || isUnreadable(reason)) sealed += 1;
    if (isUnreadable(reason)) {
      unreadable += 1;
      const tone = tones[reasonTexts[reason].tone] ?? 'bad';
      bad.set(short, { label: short, tone, count: (bad.get(short)?.count ?? 0) + 1 });
    } else if (isSealed(stub)) {
      good.set(short, (good.get(short) ?? 0) + 1);
    }
  }
  const shares = [...good]
    .toSorted((a, b) => b[1] - a[1])
    .map(([label, count]): KeyShare => ({ label, count, tone: 'crypto' }));
  return { shares: [...shares, ...bad.values()], sealed, unreadable };
}
