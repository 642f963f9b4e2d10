import type { Meter } from '@opentelemetry/api';
import type { ScanReport } from '@temporal-kms/codec-api';
import type { ScanReports } from './scan-reports.ts';

/**
 * Label value for a version that messages do not name, a crypto key that is not configured, and an unknown
 * state.
 */
const UNKNOWN = 'unknown';

/** Number of histories that need a key version, with the labels of the series. */
interface Needed {
  readonly namespace: string;
  readonly key: string;
  readonly version: string;
  readonly state: string;
  readonly histories: number;
}

/**
 * Adds gauges for the latest report of `temporal-kms scan`. Labels contain crypto keys, but no workflows.
 * Without a readable report, the gauges are NaN, which satisfies no comparison in an alert. OpenTelemetry
 * never removes a series, so a version that no history needs any more gets 0.
 */
export function scanMetrics(meter: Meter, scans: ScanReports): void {
  const seen = new Map<string, Needed>();
  meter
    .createObservableGauge('codec_scan_report_age_seconds', {
      description: 'Time since the last complete or partial scan started',
    })
    .addCallback(async (result) => {
      const report = await scans.latest();
      result.observe(report === undefined ? Number.NaN : (Date.now() - Date.parse(report.started)) / 1_000);
    });
  meter
    .createObservableGauge('codec_scan_histories', {
      description: 'Histories that need the key version, and the state of the version at the scan',
    })
    .addCallback(async (result) => {
      const report = await scans.latest();
      const needed = new Map<string, Needed>();
      for (const found of report === undefined ? [] : neededIn(report)) {
        const series = seriesOf(found);
        // The series with the label `unknown` counts all keys that the configuration does not name.
        const histories = found.histories + (needed.get(series)?.histories ?? 0);
        needed.set(series, { ...found, histories });
      }
      for (const [series, found] of needed) seen.set(series, found);
      for (const [series, { histories: _, ...labels }] of seen) {
        const value = report === undefined ? Number.NaN : (needed.get(series)?.histories ?? 0);
        result.observe(value, labels);
      }
    });
}

const seriesOf = ({ namespace, key, version, state }: Needed): string =>
  [namespace, key, version, state].join(' ');

function neededIn({ namespaces, cryptoKeys }: ScanReport): Needed[] {
  const states = new Map<string, string>(
    cryptoKeys.flatMap(({ key, versions }) =>
      versions.map(({ version, state }) => [`${key} ${version}`, state] as const),
    ),
  );
  return namespaces.flatMap(({ namespace, keys }) => {
    const found = keys.filter(({ staticKey }) => staticKey === undefined);
    return found.map(({ key = UNKNOWN, version, places }) => ({
      namespace,
      key,
      version: String(version ?? UNKNOWN),
      state: states.get(`${key} ${version}`) ?? UNKNOWN,
      histories: Object.values(places).reduce((sum, { histories }) => sum + histories, 0),
    }));
  });
}
