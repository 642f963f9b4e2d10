import { type ScannedHistories, type ScanPlace, scanPlaces, STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { evidenceLines } from '../scan/report-text.ts';
import type { DestroyQuestion } from './question.ts';
import { judge, type Verdict } from './verdict.ts';

/** Histories that still need a version, in one place of a namespace, such as its open runs. */
interface Waiting {
  /** Address of the Temporal server. */
  readonly server: string;
  readonly namespace: string;
  readonly place: ScanPlace;
  readonly histories: ScannedHistories;
  /**
   * The time by which Temporal will have removed all of these histories; null if Temporal never removes them,
   * or if the time is unknown.
   */
  readonly until: string | null;
}

/** When a version becomes free, and what it waits for. */
export interface DrainedVersion {
  readonly version: number;
  /** Whether the scan found nothing that needs the version. `may-destroy` also requires a statement. */
  readonly isFree: boolean;
  /**
   * The time after which nothing needs the version any more; null if it is unknown, for example because open
   * runs need the version.
   */
  readonly freeOn: string | null;
  readonly waitsFor: readonly Waiting[];
  readonly reasons: Verdict['reasons'];
}

/** Returns when a version becomes free, according to a scan. */
export function drainOf(question: DestroyQuestion): DrainedVersion {
  const { version, reports, now } = question;
  const { evidence, notPrimarySince, ...verdict } = judge(question);
  const reasons = verdict.reasons.filter(({ code }) => code !== 'not_stated');
  const waitsFor = evidence.flatMap(({ server, namespace, places }) =>
    scanPlaces.flatMap((place): Waiting[] => {
      const histories = places[place];
      if (histories === undefined) return [];
      const { retentionSeconds } =
        reports
          .filter((report) => report.server?.address === server)
          .flatMap(({ namespaces }) => namespaces)
          .find((one) => one.namespace === namespace) ?? {};
      return [{ server, namespace, place, histories, until: removedOn(place, histories, retentionSeconds) }];
    }),
  );
  const times = waitsFor.map(({ until }) => until);
  const isKnown =
    notPrimarySince !== null &&
    times.every((time) => time !== null) &&
    reasons.every(({ code }) => code === 'needed' || code === 'may_still_encrypt');
  const last = Math.max(
    now.getTime(),
    ...(notPrimarySince === null ? [] : [Date.parse(notPrimarySince) + STOPS_WITHIN_MS]),
    ...times.map((time) => Date.parse(time ?? '')),
  );
  const isFree = reasons.length === 0;
  return { version, isFree, freeOn: isKnown ? new Date(last).toISOString() : null, waitsFor, reasons };
}

/** Returns when Temporal removes a closed run: after the retention of the run's namespace. */
function removedOn(
  place: ScanPlace,
  { newest }: ScannedHistories,
  retention: number | undefined,
): string | null {
  if (place !== 'closed' || newest?.closeTime === undefined || retention === undefined) return null;
  return new Date(Date.parse(newest.closeTime) + retention * 1000).toISOString();
}

const waitingTexts: Readonly<Record<Exclude<ScanPlace, 'closed'>, string>> = {
  open: 'until these runs have closed and their retention has passed',
  schedules:
    'until these schedules have been changed, deleted or re-encrypted (--reencrypt names the fields that it cannot re-encrypt)',
  archived: 'for as long as the archive is kept',
  exports: 'for as long as the exports are kept',
};

export function drainLines({ version, isFree, freeOn, waitsFor, reasons }: DrainedVersion): string[] {
  if (isFree) return [`version ${version}: free. Type: temporal-kms may-destroy ${version}`];
  return [
    `version ${version}: ${freeOn === null ? 'the date when it becomes free is unknown' : `free on ${freeOn}, unless something else happens`}`,
    ...waitsFor.flatMap(({ namespace, place, histories, until }) => [
      `  ${namespace}: ${until === null && place !== 'closed' ? waitingTexts[place] : `until ${until ?? 'an unknown time'}`}`,
      ...evidenceLines({ [place]: histories }),
    ]),
    ...reasons.filter(({ code }) => code !== 'needed').map(({ message }) => `  ${message}`),
  ];
}
