import { z } from 'zod/mini';
import { payloadFormat } from './payload.ts';
import { reasonCode } from './reasons.ts';
import { timestamp } from './workflow.ts';

/*
 * The report of `temporal-kms scan`: which key versions each namespace's histories need. The scan decrypts
 * nothing: it reads message headers, which are not authenticated without decryption. The report contains
 * workflow ids and times, but no payload.
 */

/** The version of the report's format. Programs reject reports with other versions. */
export const SCAN_REPORT_VERSION = 1;

const count = z.int().check(z.nonnegative());

/**
 * Where a scan looks for payloads: in open runs, closed runs, schedules (the input, memo and metadata of the
 * workflows that they start), archived runs, and the files of Temporal Cloud's Workflow History Export.
 */
export const scanPlaces = ['open', 'closed', 'schedules', 'archived', 'exports'] as const;
export const scanPlace = z.enum(scanPlaces);
export type ScanPlace = z.infer<typeof scanPlace>;

/**
 * A history that a scan names as evidence: a run or a schedule. A schedule's id is in `workflowId`, and
 * `runId` is absent.
 */
export const scannedHistory = z.object({
  workflowId: z.string(),
  runId: z.optional(z.string()),
  /** When the run was started or the schedule was created. */
  startTime: z.optional(timestamp),
  /** When the run was closed, or absent for an open run or a schedule. */
  closeTime: z.optional(timestamp),
});
export type ScannedHistory = z.infer<typeof scannedHistory>;

/**
 * Histories in one of `scanPlaces` that share a property, for example the key version that they need.
 * `oldest` and `newest` go by `closeTime`, or by `startTime` if there is no `closeTime`.
 */
export const scannedHistories = z.object({
  histories: count,
  payloads: count,
  oldest: z.optional(scannedHistory),
  newest: z.optional(scannedHistory),
});
export type ScannedHistories = z.infer<typeof scannedHistories>;

/** The histories by place. Places without such histories are absent. */
export const scannedByPlace = z.partialRecord(scanPlace, scannedHistories);
export type ScannedByPlace = z.infer<typeof scannedByPlace>;

/** A key, and the histories that need it. */
export const neededKey = z.object({
  /** Resource name of a crypto key, from the configuration or from messages. */
  key: z.optional(z.string()),
  /**
   * The crypto key's id in the headers of `envelope-v2` messages, 16 hexadecimal digits. If `key` is absent,
   * no configured crypto key has this id.
   */
  keyId: z.optional(z.string().check(z.regex(/^[0-9a-f]{16}$/))),
  /** Id of the static key, if the key is a static key and not a crypto key. */
  staticKey: z.optional(z.string()),
  /**
   * The version that wrapped the branch key. Only `envelope-v2` messages name a version. Any version that the crypto
   * key had when the other messages were written may be needed to decrypt them. Messages without a key id may need
   * any of the namespace's crypto keys.
   */
  version: z.optional(z.int().check(z.positive())),
  /** Number of payloads by wire format. */
  formats: z.partialRecord(payloadFormat, count),
  places: scannedByPlace,
});
export type NeededKey = z.infer<typeof neededKey>;

/**
 * The kinds of findings that a scan reports.
 * - `plaintext`: payloads in plaintext where SDKs pass payloads to a codec
 * - `failure_in_plaintext`: failures with an unencrypted message or stack trace
 * - `older_format`: messages in a format other than `envelope-v2`
 * - `unknown_key`: messages under a crypto key that the namespace's configuration does not list
 * - `malformed`: messages with a damaged header, which no key decrypts
 */
export const scanFindingKind = z.enum([
  'plaintext',
  'failure_in_plaintext',
  'older_format',
  'unknown_key',
  'malformed',
]);
export type ScanFindingKind = z.infer<typeof scanFindingKind>;

export const scanFinding = z.object({ kind: scanFindingKind, places: scannedByPlace });

/**
 * Why a scan could not read some data.
 * - `not_permitted`, `unavailable`: Temporal, or the storage with the exports, refused access or did not
 *   respond
 * - `not_offered`: Temporal has the data but cannot list it, for example if histories are archived and
 *   visibility records are not
 * - `unreadable`: a file, an event or a response cannot be read
 * - `external_storage`: payloads are stored outside of Temporal, and the scan could not read the stored objects
 * - `inner_layer`: payloads that another codec encrypted or compressed; they may contain messages under any
 *   key
 * - `not_walked`: data that a scan does not read, such as activities that no workflow started
 */
export const scanGapKind = z.enum([
  'not_permitted',
  'unavailable',
  'not_offered',
  'unreadable',
  'external_storage',
  'inner_layer',
  'not_walked',
]);

/** Data that the scan should have read but could not. The data may need any key version. */
export const scanGap = z.object({
  kind: scanGapKind,
  place: z.optional(scanPlace),
  /** A sentence for people, without payloads. */
  message: z.string(),
  /** Why objects in external storage could not be read. */
  reason: z.optional(reasonCode),
  /**
   * A few of these objects, each with its name, for example `s3://bucket/v0/…`, and the error. A scan that
   * runs on Temporal records only the end of the name, because a name contains workflow ids, which must not
   * appear in the scan's own workflows.
   */
  objects: z.optional(z.array(z.object({ object: z.string(), message: z.string() }))),
  /** Number of histories, files or payloads, if this number is known. */
  count: z.optional(count),
  example: z.optional(scannedHistory),
});
export type ScanGap = z.infer<typeof scanGap>;

/** How completely one place in a namespace was scanned. */
export const scanCoverage = z.object({
  /**
   * `complete`: the scan read everything that Temporal listed. `partial`: the scan ended early, or could not
   * read something. `none`: the namespace has no such place, or the scan was not configured to read it.
   */
  status: z.enum(['complete', 'partial', 'none']),
  /** Number of histories, including those that an earlier scan read. */
  histories: count,
  /**
   * Number of histories that this scan read. The other histories were already closed when an earlier scan read them.
   */
  read: count,
  payloads: count,
});
export type ScanCoverage = z.infer<typeof scanCoverage>;

/**
 * The part of a report that covers one namespace. Programs can use this part on its own, without the rest of the
 * report.
 */
export const scannedNamespace = z.object({
  namespace: z.string(),
  /**
   * Temporal's id for the namespace. The id changes if the namespace is deleted and created again under the same
   * name.
   */
  id: z.optional(z.string()),
  started: timestamp,
  /** When the scan was completed, or absent if the scan ended early. */
  finished: z.optional(timestamp),
  /** True if the scan read everything that it was configured to read, without gaps and without ending early. */
  complete: z.boolean(),
  /** How long Temporal keeps closed runs. */
  retentionSeconds: z.optional(count),
  looked: z.record(scanPlace, scanCoverage),
  /** The folders or `gs://` URLs of the exports that were read. */
  exports: z.array(z.string()),
  /**
   * How many objects in external storage the histories refer to, and how many requests the scan made for the
   * objects' first bytes. This field is absent if the scan does not read external storage, or if no history
   * refers to external storage. If the scan runs on Temporal, each of its workers counts the objects that the
   * worker finds.
   */
  storage: z.optional(z.object({ objects: count, requests: count })),
  keys: z.array(neededKey),
  findings: z.array(scanFinding),
  gaps: z.array(scanGap),
});
export type ScannedNamespace = z.infer<typeof scannedNamespace>;

/** Returns whether the scan of a namespace is complete, and has read all runs and schedules. */
export const sawEverything = ({
  complete,
  finished,
  gaps,
  looked,
}: Pick<ScannedNamespace, 'complete' | 'finished' | 'gaps' | 'looked'>): boolean =>
  complete &&
  finished !== undefined &&
  gaps.length === 0 &&
  (['open', 'closed', 'schedules'] as const).every((place) => looked[place].status === 'complete') &&
  Object.values(looked).every(({ status }) => status !== 'partial');

/**
 * How many milliseconds a version may continue to encrypt after it stops being primary: Cloud KMS may wrap
 * branch keys under that version for up to 3 h (https://cloud.google.com/kms/docs/consistency), a process
 * replaces its branch key within 24 h, and a message may take 1 h to reach Temporal's store.
 */
export const STOPS_WITHIN_MS = (3 + 24 + 1) * 3_600_000;

/** A crypto key as Cloud KMS described it when the scan started. */
export const scannedKey = z.object({
  key: z.string(),
  time: timestamp,
  /** The version that encrypts; absent if no version encrypts. */
  primary: z.optional(z.int().check(z.positive())),
  versions: z.array(
    z.object({
      version: z.int().check(z.positive()),
      /** Cloud KMS's CryptoKeyVersionState. */
      state: z.string(),
      created: z.optional(timestamp),
      /**
       * When a scan with the same state folder first found that a later version had become primary. Cloud KMS
       * does not record when a version stopped being primary. This field is absent if the time is unknown.
       */
      notPrimarySince: z.optional(timestamp),
      /** When a scan with the same state folder last found this version primary; absent if no scan has. */
      lastPrimary: z.optional(timestamp),
    }),
  ),
});
export type ScannedKey = z.infer<typeof scannedKey>;

/**
 * Identifies a Temporal server. Servers with different addresses or cluster ids count as different servers.
 */
export const scannedServer = z.object({
  address: z.string(),
  /** The cluster's id, or absent if Temporal does not return the id for the scan's credentials. */
  clusterId: z.optional(z.string()),
});
export type ScannedServer = z.infer<typeof scannedServer>;

export const scanReport = z.object({
  version: z.literal(SCAN_REPORT_VERSION),
  /**
   * The Temporal server that was scanned. Reports of earlier versions lack this field, and cannot justify destroying a
   * key.
   */
  server: z.optional(scannedServer),
  started: timestamp,
  /** When the scan was completed, or absent if the scan ended early. */
  finished: z.optional(timestamp),
  /** Whether the scans of all namespaces are complete. */
  complete: z.boolean(),
  /** The configured crypto keys, except those that Cloud KMS did not describe. */
  cryptoKeys: z.array(scannedKey),
  namespaces: z.array(scannedNamespace),
});
export type ScanReport = z.infer<typeof scanReport>;
