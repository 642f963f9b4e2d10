import {
  type NeededKey,
  sawEverything,
  type ScannedByPlace,
  type ScannedNamespace,
  type ScanReport,
  STOPS_WITHIN_MS,
} from '@temporal-kms/codec-api';
import { cryptoKeyId, type KeyDescription } from '@temporal-kms/kms-codec';

/** How far the clocks of programs, Temporal and Cloud KMS may differ. */
const MAX_SKEW_MS = 300_000;

interface VersionQuestion {
  readonly key: string;
  readonly version: number;
  /** The crypto key as Cloud KMS describes it now. */
  readonly description: KeyDescription;
}

export interface DestroyQuestion extends VersionQuestion {
  readonly report: ScanReport;
  /** Namespaces that must have been scanned. */
  readonly namespaces: readonly string[];
  /** Whether the configuration uses the key also for namespaces that it does not name. */
  readonly hasOtherNamespaces: boolean;
  /** When the version stopped being primary, if a person states it, for example from the audit log. */
  readonly notPrimarySince?: Date;
  /** The oldest report that counts, by the time at which its scan started. */
  readonly maxAgeMs: number;
  readonly now: Date;
}

/**
 * Why a version may not be destroyed.
 * - `no_version`: the crypto key has no such version, or it is destroyed already
 * - `primary`: it encrypts
 * - `needed`: histories need it
 * - `not_seen`: the scan did not see everything, or not every namespace
 * - `may_still_encrypt`: when the scan started, programs may still have encrypted under the version
 * - `report_too_old`: the report is older than permitted, or from the future
 */
type ReasonCode = 'no_version' | 'primary' | 'needed' | 'not_seen' | 'may_still_encrypt' | 'report_too_old';

interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

/** Histories that need the version. */
interface Evidence {
  readonly namespace: string;
  /** Absent: the messages name no version, and were written when the version existed. */
  readonly version?: number;
  /** The id in the headers, if it is of no known crypto key: it may be another name of this one. */
  readonly unknownKeyId?: string;
  readonly places: ScannedByPlace;
}

export interface Verdict {
  readonly key: string;
  readonly version: number;
  readonly mayDestroy: boolean;
  /** Why not. Empty if the version may be destroyed. */
  readonly reasons: readonly Reason[];
  readonly evidence: readonly Evidence[];
  /** The first time at which another version was known to be primary. */
  readonly notPrimarySince: string | null;
  /** A scan that starts later can lead to a yes, if nothing needs the version. Null: that is not known. */
  readonly scanAfter: string | null;
  /** Null: no scan was necessary. */
  readonly scanned: { readonly started: string; readonly namespaces: readonly string[] } | null;
  /** What no scan sees, and the caller must know. */
  readonly notSeen: readonly string[];
}

/**
 * Decides whether a key version may be destroyed, from the report of a scan. The answer is yes only if everything that the
 * scan was asked to look at has been seen, after no program could encrypt under the version any longer, and nothing needs it.
 */
export function judge(question: DestroyQuestion): Verdict {
  const { key, version, report } = question;
  const since = stoppedAt(question);
  const evidence = report.namespaces.flatMap((namespace) => evidenceIn(namespace, question));
  const reasons = [
    ...versionReasons(question),
    ...timeReasons(question, since),
    ...coverageReasons(question),
    ...evidence.map((found) => ({ code: 'needed' as const, message: evidenceText(found) })),
  ];
  return {
    key,
    version,
    mayDestroy: reasons.length === 0,
    reasons,
    evidence,
    notPrimarySince: since === undefined ? null : new Date(since).toISOString(),
    scanAfter: since === undefined ? null : new Date(since + STOPS_WITHIN_MS).toISOString(),
    scanned: { started: report.started, namespaces: report.namespaces.map(({ namespace }) => namespace) },
    notSeen: notSeen(question),
  };
}

/** Returns the answer if no scan can change it: the version is primary, or does not exist. Otherwise undefined. */
export function judgeWithoutScan(question: VersionQuestion): Verdict | undefined {
  const reasons = versionReasons(question);
  if (reasons.length === 0) return undefined;
  const { key, version } = question;
  return {
    key,
    version,
    mayDestroy: false,
    reasons,
    evidence: [],
    notPrimarySince: null,
    scanAfter: null,
    scanned: null,
    notSeen: [],
  };
}

/** Returns when the version stopped being primary, in milliseconds since 1970, as far as that is known. */
function stoppedAt(question: DestroyQuestion): number | undefined {
  const { key, version, report, notPrimarySince } = question;
  const observed = report.cryptoKeys.find((one) => one.key === key);
  if (observed?.primary === version) return undefined;
  if (notPrimarySince !== undefined)
    return contradictionOf(question) === undefined ? notPrimarySince.getTime() : undefined;
  const since = observed?.versions.find((one) => one.version === version)?.notPrimarySince;
  return since === undefined ? undefined : Date.parse(since);
}

/** Returns why the time cannot be right at which, as a person states, the version stopped being primary. */
function contradictionOf({
  key,
  version,
  report,
  description,
  notPrimarySince,
}: DestroyQuestion): string | undefined {
  if (notPrimarySince === undefined) return undefined;
  const stated = notPrimarySince.getTime();
  const observed = report.cryptoKeys.find((one) => one.key === key);
  const { lastPrimary } = observed?.versions.find((one) => one.version === version) ?? {};
  const primaryAt = observed?.primary === version ? observed.time : lastPrimary;
  if (primaryAt !== undefined && !(Date.parse(primaryAt) <= stated))
    return `a scan found version ${version} to be primary at ${primaryAt}, after the time of --not-primary-since`;
  const created = description.versions.find((one) => one.version === version)?.created;
  if (created !== undefined && created.getTime() > stated)
    return `version ${version} was created at ${created.toISOString()}, after the time of --not-primary-since`;
  return undefined;
}

function versionReasons({ key, version, description }: VersionQuestion): Reason[] {
  const found = description.versions.find((one) => one.version === version);
  if (found === undefined) return [{ code: 'no_version', message: `${key} has no version ${version}` }];
  if (found.state === 'DESTROYED')
    return [{ code: 'no_version', message: `version ${version} is destroyed already` }];
  if (description.primary === version)
    return [{ code: 'primary', message: `version ${version} is primary: programs encrypt under it` }];
  return [];
}

function timeReasons(question: DestroyQuestion, since: number | undefined): Reason[] {
  const { report, now, maxAgeMs, version } = question;
  const starts = [report.started, ...report.namespaces.map(({ started }) => started)].map((time) =>
    Date.parse(time),
  );
  const first = Math.min(...starts);
  const reasons: Reason[] = [];
  if (!(now.getTime() - first <= maxAgeMs) || Math.max(...starts) > now.getTime() + MAX_SKEW_MS)
    reasons.push({
      code: 'report_too_old',
      message: `the scan started at ${report.started}, which is too long ago or in the future`,
    });
  if (since === undefined) {
    reasons.push({
      code: 'may_still_encrypt',
      message:
        contradictionOf(question) ??
        `it is not known when version ${version} stopped being primary: no scan with this state folder has observed it before`,
    });
  } else if (!(first >= since + STOPS_WITHIN_MS)) {
    const time = new Date(since + STOPS_WITHIN_MS).toISOString();
    reasons.push({
      code: 'may_still_encrypt',
      message: `programs may encrypt under version ${version} until ${time}, and the scan started before`,
    });
  }
  return reasons;
}

function coverageReasons({ report, namespaces }: DestroyQuestion): Reason[] {
  const scanned = new Map(report.namespaces.map((one) => [one.namespace, one]));
  const missing = namespaces.filter((name) => !scanned.has(name));
  return [
    ...(scanned.size === 0
      ? [{ code: 'not_seen' as const, message: 'the report contains no namespace' }]
      : []),
    ...missing.map((name) => ({
      code: 'not_seen' as const,
      message: `the namespace ${name} was not scanned`,
    })),
    ...report.namespaces
      .filter((one) => !sawEverything(one))
      .map((one) => ({ code: 'not_seen' as const, message: gapText(one) })),
  ];
}

function gapText({ namespace, gaps }: ScannedNamespace): string {
  const [gap] = gaps;
  const more = gaps.length > 1 ? ` And ${gaps.length - 1} more.` : '';
  return `the scan of the namespace ${namespace} did not see everything: ${gap?.message ?? 'it ended early.'}${more}`;
}

function evidenceIn({ namespace, keys }: ScannedNamespace, question: DestroyQuestion): Evidence[] {
  return keys
    .filter((needed) => mayNeed(needed, question))
    .map((needed) => ({
      namespace,
      places: needed.places,
      ...(needed.version === undefined ? {} : { version: needed.version }),
      ...(needed.keyId !== undefined && isUnknown(needed, question) ? { unknownKeyId: needed.keyId } : {}),
    }));
}

/** Whether the id of a crypto key is of none that the configuration has, so that it may be another name of one of them. */
const isUnknown = ({ keyId, key: name }: NeededKey, { key, report }: DestroyQuestion): boolean =>
  keyId !== undefined &&
  name === undefined &&
  ![key, ...report.cryptoKeys.map((one) => one.key)].some((known) => cryptoKeyId(known) === keyId);

function mayNeed(needed: NeededKey, question: DestroyQuestion): boolean {
  const { key, version, description } = question;
  if (needed.staticKey !== undefined) return false;
  const isKey =
    needed.keyId === undefined
      ? needed.key === undefined || needed.key === key
      : needed.keyId === cryptoKeyId(key) || isUnknown(needed, question);
  if (!isKey) return false;
  if (needed.version !== undefined) return needed.version === version;
  // A message cannot need a version that was created after it was written.
  const created = description.versions.find((one) => one.version === version)?.created;
  return created === undefined || isWrittenAfter(needed.places, created.getTime() - MAX_SKEW_MS);
}

/** Whether a history can have been written after a time: it is not closed, or it was closed after it. */
const isWrittenAfter = (places: ScannedByPlace, time: number): boolean =>
  Object.values(places).some(
    ({ newest }) => newest?.closeTime === undefined || !(Date.parse(newest.closeTime) < time),
  );

function evidenceText({ namespace, version, unknownKeyId, places }: Evidence): string {
  const counts = Object.entries(places).map(([place, { histories }]) => `${histories} ${place}`);
  const what =
    unknownKeyId !== undefined
      ? `may need it (the key id ${unknownKeyId} in their messages is of no crypto key of the configuration)`
      : version === undefined
        ? 'may need it (their messages name no version)'
        : 'need it';
  return `histories of the namespace ${namespace} ${what}: ${counts.join(', ')}`;
}

function notSeen({ report, key, hasOtherNamespaces }: DestroyQuestion): string[] {
  const places = (place: 'archived' | 'exports'): boolean =>
    report.namespaces.every(({ looked }) => looked[place].status === 'none');
  return [
    ...(places('archived')
      ? ['archives: Temporal has no archive of these namespaces, or has forgotten it']
      : []),
    ...(places('exports')
      ? ['exported histories: the scan was asked to read none (--exports)']
      : ['exported histories in other places than those that the report names']),
    "backups of Temporal's database, and copies of histories outside of Temporal",
    `other namespaces, other clusters, and other data that ${key} encrypts` +
      (hasOtherNamespaces ? ' (the configuration uses the key for every namespace)' : ''),
    'messages inside other messages, which are visible only after decryption',
    `whether the version was made primary again for a while, which the audit log shows: ${auditLogLine(key)}`,
  ];
}

/** Returns the line that lists when which version was made primary. */
function auditLogLine(key: string): string {
  const filter = `protoPayload.methodName="UpdateCryptoKeyPrimaryVersion" AND protoPayload.resourceName="${key}"`;
  const project = key.split('/')[1] ?? '';
  return `gcloud logging read '${filter}' --project=${project} --freshness=400d`;
}
