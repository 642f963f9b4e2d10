import { messageOf } from '../errors.ts';
import { stat } from 'node:fs/promises';
import {
  type NamespaceScan,
  SCAN_REPORT_VERSION,
  type ScanGap,
  scanReport,
  type ScanReport,
} from '@temporal-kms/codec-api';
import { readTrustedFile } from '@temporal-kms/node-utils/trusted-files';
import { z } from 'zod';

/**
 * Maximum size of a report in bytes. Parsing a report of this size blocks other requests for about 0.1 s,
 * once after each scan.
 */
const MAX_BYTES = 8 * 1024 * 1024;

/** The report's name in messages. Messages do not contain the path, because API callers read them. */
const NAME = 'The scan report (SCAN_REPORT_FILE)';

type Read = { readonly report: ScanReport } | { readonly message: string };

export interface ScanReports {
  /**
   * Resolves to the part of the report about a namespace, or to the reason why there is no such part. Never
   * rejects.
   *
   * @param keys resource names of the namespace's crypto keys. Other crypto keys in the report are left out.
   */
  of(namespace: string, keys: readonly string[]): Promise<NamespaceScan>;
  /** Resolves to the whole report, for metrics, or to undefined if there is no report. Never rejects. */
  latest(): Promise<ScanReport | undefined>;
}

/**
 * Returns access to the report that `temporal-kms scan` wrote. Reads the file again after a change.
 *
 * @param file undefined if no scan is configured
 * @param log called once for each version of the file, when the report is read or cannot be read
 */
export function scanReports(
  file: string | undefined,
  log: (message: string, detail: object) => void = () => undefined,
  maxBytes = MAX_BYTES,
): ScanReports {
  let known: { readonly version: string; readonly read: Read } | undefined;

  async function current(path: string): Promise<Read> {
    const version = await versionOf(path);
    // There is no `await` between the comparison and the assignment, so that concurrent requests read the
    // file only once.
    if (known?.version === version) return known.read;
    const read = version === '' ? { message: `${NAME} does not exist or is not readable` } : parse(path);
    known = { version, read };
    if ('message' in read) log('scan report not readable', { reason: read.message });
    else log('scan report read', { started: read.report.started, complete: read.report.complete });
    return read;
  }

  function parse(path: string): Read {
    try {
      return parseReport(readTrustedFile(path, maxBytes).toString('utf8'));
    } catch (error) {
      const reason = messageOf(error);
      return { message: reason.startsWith(path) ? reason.replace(path, NAME) : `${NAME} cannot be read` };
    }
  }

  return {
    latest: async () => {
      const read = file === undefined ? undefined : await current(file);
      return read !== undefined && 'report' in read ? read.report : undefined;
    },
    of: async (namespace, keys) => {
      if (file === undefined) return { status: 'not_configured' };
      const read = await current(file);
      if ('message' in read) return { status: 'unreadable', message: read.message };
      const { report } = read;
      const scanned = report.namespaces.find((each) => each.namespace === namespace);
      if (scanned === undefined) return { status: 'not_scanned', started: report.started };
      const { exports: _, gaps, ...rest } = scanned;
      const cryptoKeys = report.cryptoKeys.filter(({ key }) => keys.includes(key));
      return { status: 'scanned', scanned: { ...rest, gaps: gaps.map(withoutLocation), cryptoKeys } };
    },
  };
}

/**
 * Replaces messages about gaps in exports, because these messages name files and buckets that API callers
 * need not know.
 */
const withoutLocation = (gap: ScanGap): ScanGap =>
  gap.place === 'exports'
    ? { ...gap, message: 'Some exported histories could not be read: see the scan report.' }
    : gap;

/** Identifies a version of the file; empty if the file does not exist. */
async function versionOf(path: string): Promise<string> {
  return await stat(path, { bigint: true }).then(
    ({ ino, size, mtimeNs, ctimeNs, mode }) => [ino, size, mtimeNs, ctimeNs, mode].join(' '),
    () => '',
  );
}

/** Checks the version first, because a report with another version may have another format. */
const versioned = z.object({ version: z.number() });

function parseReport(text: string): Read {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { message: `${NAME} is not JSON: it may be truncated` };
  }
  const found = versioned.safeParse(value).data?.version;
  if (found !== undefined && found !== SCAN_REPORT_VERSION) {
    return {
      message: `${NAME} has the version ${found}, and this server reads version ${SCAN_REPORT_VERSION}: run the scan with the same release of temporal-kms as the server`,
    };
  }
  const parsed = scanReport.safeParse(value);
  if (parsed.success) return { report: parsed.data };
  const place = parsed.error.issues[0]?.path.join('.') ?? '';
  return { message: `${NAME} is not a report of temporal-kms scan${place === '' ? '' : ` (at ${place})`}` };
}
