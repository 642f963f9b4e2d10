import {
  type NeededKey,
  type ScannedByPlace,
  type ScannedNamespace,
  type ScannedServer,
  STOPS_WITHIN_MS,
} from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import type { TemporalServer } from '../temporal/server.ts';
import { coverageReasons } from './coverage.ts';
import { type StoppedAt, stoppedAt } from './primary-time.ts';
import { type DestroyQuestion, MAX_SKEW_MS, type Reason, type VersionQuestion } from './question.ts';
import { type Statement, statementTemplate } from './statement.ts';
import { statementReasons } from './statement-reasons.ts';

/** Histories that need the version. */
interface Evidence {
  /** Address of the Temporal server. */
  readonly server: string;
  readonly namespace: string;
  /**
   * The version that the messages name; absent if the messages name no version, but were written when the
   * version in question existed.
   */
  readonly version?: number;
  /**
   * The key id in the headers, if no known key has this id. The id may belong to the key in question, under
   * another name.
   */
  readonly unknownKeyId?: string;
  /** The key's name in the messages or the configuration, if this name differs from the name in the question. */
  readonly otherName?: string;
  readonly places: ScannedByPlace;
}

export interface Verdict {
  readonly key: string;
  readonly version: number;
  readonly mayDestroy: boolean;
  /** The reasons why the version may not be destroyed; empty if the version may be destroyed. */
  readonly reasons: readonly Reason[];
  readonly evidence: readonly Evidence[];
  /** A time at which another version was primary, as stated by a person or observed by scans; null if unknown. */
  readonly notPrimarySince: string | null;
  /** The time after which scans must start for the answer to be yes; null if unknown. */
  readonly scanAfter: string | null;
  /** The scanned namespaces and the times of the scans; null if no scan was necessary. */
  readonly scanned:
    | readonly {
        readonly started: string;
        readonly server: ScannedServer | null;
        readonly namespaces: readonly { readonly name: string; readonly id: string | null }[];
      }[]
    | null;
  /** The Temporal servers, as they described themselves at the time of the answer. */
  readonly servers: readonly TemporalServer[];
  /** A person's statement about data that no scan sees. */
  readonly statement: Statement | null;
  /** The lines of a statement to fill in; null if there is a statement. */
  readonly template: readonly string[] | null;
}

/**
 * Decides from reports of scans whether a key version may be destroyed. The answer is yes only if:
 * - the scans started when no program could encrypt under the version any longer
 * - the scans saw every namespace that the key may serve, and nothing there needs the version
 * - a person makes a statement about data that no scan sees
 */
export function judge(question: DestroyQuestion): Verdict {
  const { key, version, reports, servers, statement } = question;
  const stopped = stoppedAt(question);
  const since = 'since' in stopped ? stopped.since : undefined;
  const evidence = reports.flatMap((report) =>
    report.namespaces.flatMap((namespace) =>
      evidenceIn(namespace, report.server?.address ?? 'an unknown server', question),
    ),
  );
  const reasons = [
    ...versionReasons(question),
    ...timeReasons(question, stopped),
    ...coverageReasons(question),
    ...statementReasons(question, stopped),
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
    scanned: reports.map(({ started, server, namespaces }) => ({
      started,
      server: server ?? null,
      namespaces: namespaces.map(({ namespace, id }) => ({ name: namespace, id: id ?? null })),
    })),
    servers,
    statement: statement ?? null,
    template:
      statement === undefined ? statementTemplate({ ...question, namespaces: namedOnly(question) }) : null,
  };
}

/** The namespaces for which the configuration uses the key; empty for all namespaces. */
const namedOnly = ({ namespaces, hasOtherNamespaces }: DestroyQuestion): readonly string[] =>
  hasOtherNamespaces ? [] : namespaces;

/**
 * Returns the answer if no scan can change it, because the version is primary or does not exist; otherwise,
 * returns undefined.
 */
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
    servers: [],
    statement: null,
    template: null,
  };
}

function versionReasons({ key, version, description }: VersionQuestion): Reason[] {
  const found = description.versions.find((one) => one.version === version);
  if (found === undefined) return [{ code: 'no_version', message: `${key} has no version ${version}` }];
  if (found.state === 'DESTROYED')
    return [{ code: 'no_version', message: `version ${version} is already destroyed` }];
  if (description.primary === version)
    return [{ code: 'primary', message: `version ${version} is primary: programs encrypt under it` }];
  return [];
}

function timeReasons(question: DestroyQuestion, stopped: StoppedAt): Reason[] {
  const { reports, now, maxAgeMs, version } = question;
  const starts = reports
    .flatMap(({ started, namespaces }) => [started, ...namespaces.map((one) => one.started)])
    .map((time) => Date.parse(time));
  const first = Math.min(...starts);
  const reasons: Reason[] = [];
  if (!(now.getTime() - first <= maxAgeMs) || Math.max(...starts) > now.getTime() + MAX_SKEW_MS)
    reasons.push({
      code: 'report_too_old',
      message: `the scan started at ${reports.map(({ started }) => started).join(', ')}, which is too long ago or in the future`,
    });
  if ('unknown' in stopped) {
    reasons.push({ code: 'may_still_encrypt', message: stopped.unknown });
  } else if (!(first >= stopped.since + STOPS_WITHIN_MS)) {
    const time = new Date(stopped.since + STOPS_WITHIN_MS).toISOString();
    reasons.push({
      code: 'may_still_encrypt',
      message: `programs may encrypt under version ${version} until ${time}, but the scan started before that time`,
    });
  }
  return reasons;
}

function evidenceIn(
  { namespace, keys }: ScannedNamespace,
  server: string,
  question: DestroyQuestion,
): Evidence[] {
  return keys
    .filter((needed) => mayNeed(needed, question))
    .map((needed) => ({
      server,
      namespace,
      places: needed.places,
      // Stryker disable next-line ConditionalExpression: JSON leaves out undefined.
      ...(needed.version === undefined ? {} : { version: needed.version }),
      ...nameIn(needed, question),
    }));
}

/**
 * Returns the name of the crypto key that messages need, or undefined if the messages do not show the name.
 */
function nameOf({ keyId, key: name }: NeededKey, { key, reports }: DestroyQuestion): string | undefined {
  if (keyId === undefined) return name;
  const known = [key, name ?? key, ...reports.flatMap(({ cryptoKeys }) => cryptoKeys.map((one) => one.key))];
  return known.find((one) => cryptoKeyId(one) === keyId);
}

/** Returns the evidence that messages may need the crypto key under another name. */
function nameIn(needed: NeededKey, question: DestroyQuestion): Pick<Evidence, 'unknownKeyId' | 'otherName'> {
  const name = nameOf(needed, question);
  if (name === undefined)
    // Stryker disable next-line ConditionalExpression: JSON leaves out undefined.
    return needed.keyId === undefined ? {} : { unknownKeyId: needed.keyId };
  return name === question.key ? {} : { otherName: name };
}

/**
 * Whether a name is, or may be, the name of the crypto key. A name with a project number may be the key's
 * name, because the number may belong to the key's project.
 */
const mayBe = (name: string, key: string): boolean =>
  name === key || (/^projects\/\d+\//.test(name) && withoutProject(name) === withoutProject(key));

// Stryker disable next-line StringLiteral: names are between fixed words, so they need no separator.
const withoutProject = (name: string): string => name.split('/').slice(2).join('/');

function mayNeed(needed: NeededKey, question: DestroyQuestion): boolean {
  const { key, version, description } = question;
  if (needed.staticKey !== undefined) return false;
  const name = nameOf(needed, question);
  if (name !== undefined && !mayBe(name, key)) return false;
  if (needed.version !== undefined) return needed.version === version;
  // A message cannot need a version that was created later than the message.
  const created = description.versions.find((one) => one.version === version)?.created;
  return created === undefined || isWrittenAfter(needed.places, created.getTime() - MAX_SKEW_MS);
}

/**
 * Whether one of the histories may have been written after a time: yes, unless every history was closed
 * before that time.
 */
const isWrittenAfter = (places: ScannedByPlace, time: number): boolean => {
  const all = Object.values(places);
  // Stryker disable next-line StringLiteral: no text except a date is a time.
  return all.length === 0 || !all.every(({ newest }) => Date.parse(newest?.closeTime ?? '') < time);
};

function evidenceText({ server, namespace, version, unknownKeyId, otherName, places }: Evidence): string {
  const counts = Object.entries(places).map(([place, { histories }]) => `${histories} ${place}`);
  const what =
    unknownKeyId !== undefined
      ? `may need it (the key id ${unknownKeyId} in their messages belongs to no configured crypto key)`
      : otherName !== undefined
        ? `may need it (they name ${otherName}, which is the same crypto key if the project number is that of the key's project)`
        : version === undefined
          ? 'may need it (their messages name no version)'
          : 'need it';
  return `histories of the namespace ${namespace} of ${server} ${what}: ${counts.join(', ')}`;
}
