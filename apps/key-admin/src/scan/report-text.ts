import type {
  NeededKey,
  ScanGap,
  ScannedByPlace,
  ScannedHistory,
  ScannedNamespace,
  ScanReport,
} from '@temporal-kms/codec-api';
import { scanPlaces } from '@temporal-kms/codec-api';
import { columns } from '../cli/output.ts';
import { withoutNames } from './scan-part.ts';

const findingTexts = {
  plaintext: 'payloads in plaintext where programs should encrypt',
  failure_in_plaintext: 'failures with messages in plaintext',
  older_format: 'messages in a format other than envelope-v2',
  unknown_key: 'messages under a crypto key that is not configured for the namespace',
  malformed: 'messages that no key decrypts, because their header is damaged',
} as const;

/** Returns the report as lines for people. */
export const reportLines = (report: ScanReport): string[] => [
  ...report.namespaces.flatMap((namespace) => [...namespaceLines(namespace), '']),
  report.complete
    ? `Complete: the scan read everything that was requested (${report.started} to ${report.finished ?? '…'}).`
    : NOT_COMPLETE,
];

const NOT_COMPLETE = 'NOT COMPLETE: the scan could not see everything. The rest may need any key version.';

/** Returns lines about the data that the scan could not see, without ids of histories. */
export const gapLines = ({ complete, namespaces }: Pick<ScanReport, 'complete' | 'namespaces'>): string[] =>
  complete
    ? []
    : [
        NOT_COMPLETE,
        ...namespaces.flatMap(({ namespace, gaps }) =>
          gaps.flatMap((gap) => [`  ${namespace}: ${gapText(gap)}`, ...objectLines(withoutNames(gap))]),
        ),
      ];

const gapText = ({ message, count, place }: ScanGap): string =>
  `${place === undefined ? '' : `${place}: `}${message}${count === undefined ? '' : ` (${count})`}`;

const objectLines = ({ objects = [] }: ScanGap): string[] => objects.map(({ message }) => `    ${message}`);

function namespaceLines({ namespace, looked, keys, findings, gaps, storage }: ScannedNamespace): string[] {
  const places = scanPlaces
    .filter((place) => looked[place].status !== 'none')
    .map((place) => {
      const { histories, read, payloads, status } = looked[place];
      return [
        place,
        `${histories} (${read} read now)`,
        `${payloads} payloads`,
        status === 'partial' ? 'PARTIAL' : '',
      ];
    });
  const rows = sortedKeys(keys).flatMap((key) => [
    [keyName(key), ...scanPlaces.map((place) => String(key.places[place]?.histories ?? '-'))],
  ]);
  return [
    `namespace ${namespace}`,
    ...indent(columns(places)),
    ...(storage === undefined
      ? []
      : [`  external storage: ${storage.objects} objects (${storage.requests} requests)`]),
    ...(rows.length === 0
      ? ['  no payload needs a key']
      : indent(
          columns([['HISTORIES THAT NEED', ...scanPlaces.map((place) => place.toUpperCase())], ...rows]),
        )),
    ...sortedKeys(keys).flatMap((key) => [`  ${keyName(key)}`, ...evidenceLines(key.places)]),
    ...findings.flatMap(({ kind, places: found }) => [
      `  FOUND: ${findingTexts[kind]}`,
      ...evidenceLines(found),
    ]),
    ...gaps.flatMap((gap) => [
      `  NOT SEEN: ${gapText(gap)}${gap.example === undefined ? '' : ` For example ${historyText(gap.example)}.`}`,
      ...objectLines(gap),
    ]),
  ];
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

const sortedKeys = (keys: readonly NeededKey[]): NeededKey[] =>
  keys.toSorted((a, b) => keyName(a).localeCompare(keyName(b), 'en', { numeric: true }));

/** Returns a readable name of a key and version: the last part of the crypto key's resource name, and the version. */
function keyName({ key, keyId, staticKey, version }: Omit<NeededKey, 'formats' | 'places'>): string {
  if (staticKey !== undefined) return `static key ${staticKey}`;
  const name =
    key?.slice(key.lastIndexOf('/') + 1) ??
    (keyId === undefined ? 'a key of the namespace' : `unknown key ${keyId}`);
  return `${name} ${version === undefined ? 'version unknown' : `version ${version}`}`;
}

/** Returns a line for each place, with the oldest and the newest history. */
export function evidenceLines(places: ScannedByPlace): string[] {
  return scanPlaces.flatMap((place) => {
    const found = places[place];
    if (found === undefined) return [];
    const { histories, oldest, newest } = found;
    const ends = [
      ...(oldest === undefined ? [] : [`oldest ${historyText(oldest)}`]),
      ...(newest === undefined || histories === 1 ? [] : [`newest ${historyText(newest)}`]),
    ];
    return [`    ${place} ${histories}: ${ends.join('; ')}`];
  });
}

function historyText({ workflowId, runId, startTime, closeTime }: ScannedHistory): string {
  const time = closeTime === undefined ? startTime && `started ${startTime}` : `closed ${closeTime}`;
  return [workflowId, runId && `run ${runId}`, time].filter(Boolean).join(', ');
}
