import type { ScannedKey } from '@temporal-kms/codec-api';
import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { DestroyQuestion } from './question.ts';

/**
 * The time at which a version stopped being primary, in milliseconds since 1970, or the reason why the time
 * is not known.
 */
export type StoppedAt = { readonly since: number } | { readonly unknown: string };

/** Returns when the version stopped being primary, as stated by a person or else as observed by scans. */
export function stoppedAt(question: DestroyQuestion): StoppedAt {
  const { version, notPrimarySince } = question;
  const since = notPrimarySince?.getTime() ?? observedTime(question);
  if (since === undefined || Number.isNaN(since))
    return {
      unknown: `when version ${version} stopped being primary is unknown: no earlier scan with this state folder has seen the key`,
    };
  const unknown = contradictionOf(question, since);
  return unknown === undefined ? { since } : { unknown };
}

/** Returns what each scan observed about the crypto key. Scans may have different state folders. */
const observations = ({ key, reports }: DestroyQuestion): ScannedKey[] =>
  reports.flatMap(({ cryptoKeys }) => cryptoKeys.filter((one) => one.key === key));

const ofVersion = ({ versions }: ScannedKey, version: number): Partial<ScannedKey['versions'][number]> =>
  versions.find((one) => one.version === version) ?? {};

function observedTime(question: DestroyQuestion): number | undefined {
  const times = observations(question).flatMap((observed) => {
    const { notPrimarySince } = ofVersion(observed, question.version);
    return notPrimarySince === undefined ? [] : [Date.parse(notPrimarySince)];
  });
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Returns why the version cannot have stopped being primary at the given time, or undefined if it can. */
function contradictionOf(question: DestroyQuestion, since: number): string | undefined {
  const { version, description, notPrimarySince, now } = question;
  const source = notPrimarySince === undefined ? 'the report' : '--not-primary-since';
  for (const observed of observations(question)) {
    const { lastPrimary } = ofVersion(observed, version);
    const primaryAt = observed.primary === version ? observed.time : lastPrimary;
    if (primaryAt !== undefined && !(Date.parse(primaryAt) <= since))
      return `a scan found version ${version} to be primary at ${primaryAt}, after the time of ${source}`;
  }
  const created = description.versions.find((one) => one.version === version)?.created;
  if (created !== undefined && created.getTime() > since)
    return `version ${version} was created at ${created.toISOString()}, after the time of ${source}`;
  const isStated = notPrimarySince !== undefined;
  // If an earlier version is primary, then versions did not become primary in the order of their numbers, so
  // this version may have been primary in the meantime.
  const isEarlier = ({ primary = 0 }: { readonly primary?: number | undefined }) => primary < version;
  const earlier = [...observations(question), { time: now.toISOString(), primary: description.primary }].find(
    (observed) => isEarlier(observed) && !(Date.parse(observed.time) <= since),
  );
  if (!isStated && earlier !== undefined)
    return `at ${earlier.time}, ${earlier.primary === undefined ? 'no version' : `version ${earlier.primary}`} was primary, so version ${version} may have been primary after the time of the report: look up in the audit log when version ${version} stopped being primary, and pass that time with --not-primary-since`;
  if (!description.versions.some((one) => one.version > version && canBePrimary(one, since, isStated)))
    return `no version after ${version} could have been primary at the time of ${source}: look up in the audit log when a later version became primary, and pass that time with --not-primary-since`;
  return undefined;
}

/** States of versions that have never been enabled. Only an enabled version can be made primary. */
const neverEnabled = ['PENDING_GENERATION', 'GENERATION_FAILED', 'PENDING_IMPORT', 'IMPORT_FAILED'];

/**
 * Returns whether a version could have been primary at a time. If the time comes from `--not-primary-since`,
 * a version in state DESTROYED could have been primary only if its `destroyTime` is after that time.
 */
function canBePrimary(
  { state, created, generated = created, destroyTime }: KeyDescription['versions'][number],
  time: number,
  isStated: boolean,
): boolean {
  if (created === undefined || generated === undefined || neverEnabled.includes(state)) return false;
  if (!(Math.max(created.getTime(), generated.getTime()) <= time)) return false;
  return !isStated || state !== 'DESTROYED' || (destroyTime !== undefined && destroyTime.getTime() > time);
}
