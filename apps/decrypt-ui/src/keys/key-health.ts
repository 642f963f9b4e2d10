import {
  type ConfiguredKey,
  countReasons,
  type NamespaceKeys,
  type ReasonCode,
  type ReasonCounts,
  reasonEntries,
} from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import { reasonText } from '../payloads/reasons.ts';
import { plural } from '../ui/format/number.ts';
import { formatDay, type TimeFormat } from '../ui/format/time.ts';

export type KeyVersion = ConfiguredKey['versions'][number];

/**
 * Amber (`pending`): an administrator can fix the cause. Orange (`timed-out`): the cause is temporary. Red (`failed`):
 * the cause is permanent.
 */
export type KeyTone = 'ok' | 'pending' | 'timed-out' | 'failed' | 'neutral';

/** A state in a word or two, and how serious it is. */
export interface StateText {
  readonly text: string;
  readonly tone: KeyTone;
}

/**
 * Returns a key version's state in words. For a state that this page does not know, returns Cloud KMS's name
 * for the state, in words.
 */
export function versionState({ state, destroyTime }: KeyVersion, format: TimeFormat): StateText {
  const destroyed = millisOf(destroyTime);
  switch (state) {
    case undefined:
      return { text: 'Not known', tone: 'neutral' };
    case 'ENABLED':
      return { text: 'Enabled', tone: 'ok' };
    case 'DISABLED':
      return { text: 'Disabled', tone: 'pending' };
    case 'DESTROY_SCHEDULED':
      return {
        text: destroyed === undefined ? 'To be destroyed' : `Destroys ${formatDay(destroyed, format)}`,
        tone: 'pending',
      };
    case 'DESTROYED':
      return { text: 'Destroyed', tone: 'failed' };
    default: {
      const text = state.toLowerCase().replaceAll('_', ' ');
      const tone = state.endsWith('_FAILED') ? 'failed' : 'pending';
      return { text: text.charAt(0).toUpperCase() + text.slice(1), tone };
    }
  }
}

/** Returns why no caller can currently decrypt under a version, or undefined if callers can or the state is unknown. */
export function unusable({ state }: KeyVersion): ReasonCode | undefined {
  switch (state) {
    case 'DISABLED':
      return 'key_disabled';
    case 'DESTROY_SCHEDULED':
      return 'key_destroy_scheduled';
    case 'DESTROYED':
      return 'key_destroyed';
    default:
      return undefined;
  }
}

/**
 * Returns what follows from a version's state or what to do about it, or an empty string for an enabled
 * version. `restoreBy` is a formatted time.
 */
export function attention(version: KeyVersion, restoreBy: string | undefined): string {
  const reason = unusable(version);
  if (reason === 'key_destroyed') return 'payloads under it are lost for good';
  if (version.primary && reason !== undefined)
    return 'workers cannot encrypt until an enabled version is primary';
  if (reason === 'key_disabled') return 'enable it to decrypt';
  if (reason === 'key_destroy_scheduled')
    return restoreBy === undefined ? 'restore it to decrypt' : `restore before ${restoreBy}`;
  return '';
}

/**
 * Returns the short name `k`, and the location and key ring `l/r`, of
 * `projects/p/locations/l/keyRings/r/cryptoKeys/k`.
 */
export function keyPlace(name: string): { readonly short: string; readonly place: string } {
  const match = /^projects\/[^/]+\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/]+)$/.exec(name);
  return match ? { short: match[3] ?? name, place: `${match[1]}/${match[2]}` } : { short: name, place: '' };
}

/**
 * Returns the versions that are shown until the user requests all: the primary version, those that need
 * attention or were used, and the newest others, up to `most` in total.
 */
export function mainVersions(versions: readonly KeyVersion[], most: number): KeyVersion[] {
  if (versions.length <= most) return [...versions];
  const wanted = versions.filter(
    (version) =>
      version.primary ||
      version.seen.payloads > 0 ||
      (unusable(version) ?? 'key_destroyed') !== 'key_destroyed',
  );
  const newest = versions
    .filter((version) => !wanted.includes(version))
    .slice(0, Math.max(most - wanted.length, 0));
  return versions.filter((version) => wanted.includes(version) || newest.includes(version));
}

const sum = (counts: ReasonCounts): number =>
  Object.values(counts).reduce((total: number, count) => total + (count ?? 0), 0);

/** Returns the reasons why payloads are unreadable, with their counts, most frequent first. */
export const reasonsOf = (counts: ReasonCounts): [ReasonCode, number][] =>
  reasonEntries(counts).toSorted((a, b) => b[1] - a[1]);

/** What a process did in the last hour. */
export interface Hour {
  readonly done: number;
  readonly failed: number;
  readonly reasons: ReasonCounts;
}

export function lastHour({ minutes }: Pick<NamespaceKeys, 'minutes'>): Hour {
  const reasons: ReasonCounts = {};
  let done = 0;
  for (const minute of minutes) {
    done += minute.done;
    countReasons(reasons, minute.refused);
  }
  return { done, failed: sum(reasons), reasons };
}

/** Returns the state of encryption in the namespace as this process sees it. */
export function health(keys: NamespaceKeys): StateText {
  const { failure } = keys.inMemory;
  if (failure !== undefined) return { text: reasonText(failure).title, tone: reasonText(failure).tone };
  const broken = keys.keys.find(({ reason }) => reason !== undefined)?.reason;
  if (broken !== undefined) return { text: reasonText(broken).title, tone: reasonText(broken).tone };
  const encrypting = keys.keys.find(({ use }) => use === 'encrypt_and_decrypt');
  const primary = encrypting?.versions.find((version) => version.primary);
  if (encrypting && (primary === undefined || unusable(primary) !== undefined))
    return { text: 'No primary version is enabled', tone: 'failed' };
  const { done, failed, reasons } = lastHour(keys);
  if (failed > 0)
    return { text: `${plural(failed, 'payload')} unreadable in the last hour`, tone: worstTone(reasons) };
  return done > 0
    ? { text: 'Decrypting normally', tone: 'ok' }
    : { text: 'No payloads in the last hour', tone: 'neutral' };
}

/** The tones of reasons, worst first: permanent, fixable by an administrator, temporary, for information. */
export const chartTones = ['failed', 'pending', 'timed-out', 'neutral'] as const;

/** Returns the tone of the worst reason. */
export function worstTone(counts: ReasonCounts): KeyTone {
  const tones = reasonsOf(counts).map(([code]) => reasonText(code).tone);
  return chartTones.find((tone) => tones.includes(tone)) ?? 'neutral';
}

export interface MinuteBar {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly done: number;
  readonly failed: Readonly<Record<(typeof chartTones)[number], number>>;
  readonly reasons: ReasonCounts;
}

const MINUTE = 60_000;
const MINUTES = 60;

/** Returns a bar for each of the last 60 minutes, oldest first, including minutes without events. */
export function minuteBars({ minutes }: Pick<NamespaceKeys, 'minutes'>, now: number): MinuteBar[] {
  const known = new Map(minutes.map((minute) => [millisOf(minute.time), minute]));
  const last = now - (now % MINUTE);
  return Array.from({ length: MINUTES }, (_, index): MinuteBar => {
    const time = last - (MINUTES - 1 - index) * MINUTE;
    const minute = known.get(time);
    const failed = { failed: 0, pending: 0, 'timed-out': 0, neutral: 0 };
    for (const [code, count] of reasonsOf(minute?.refused ?? {})) failed[reasonText(code).tone] += count;
    return { time, done: minute?.done ?? 0, failed, reasons: minute?.refused ?? {} };
  });
}
