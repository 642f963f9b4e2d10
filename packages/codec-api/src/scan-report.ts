import { z } from 'zod/mini';
import { payloadFormat } from './payload.ts';
import { timestamp } from './workflow.ts';

/*
 * The report of `temporal-kms scan`: which key versions the histories of namespaces need. The scan decrypts nothing: it
 * reads the headers of messages, which are claims until a message is decrypted. The report contains ids and times of
 * workflows, and no payload.
 */

/** The version of the report's form. Programs refuse a report with another version. */
export const SCAN_REPORT_VERSION = 1;

const count = z.int().check(z.nonnegative());

/**
 * Where a scan looks for payloads: runs that are open and runs that are closed, schedules (the input, memo and metadata
 * of the workflows that they start), archived runs, and runs in files of Temporal Cloud's Workflow History Export.
 */
export const scanPlaces = ['open', 'closed', 'schedules', 'archived', 'exports'] as const;
export const scanPlace = z.enum(scanPlaces);
export type ScanPlace = z.infer<typeof scanPlace>;

/**
 * A history that a scan names as evidence: a run, or a schedule, whose id is in `workflowId` and which has no run id.
 */
export const scannedHistory = z.object({
  workflowId: z.string(),
  runId: z.optional(z.string()),
  /** When the run was started, or the schedule created. */
  startTime: z.optional(timestamp),
  /** When the run was closed. Absent: it is open, or a schedule. */
  closeTime: z.optional(timestamp),
});
export type ScannedHistory = z.infer<typeof scannedHistory>;

/**
 * Histories in one place with something in common, for example a key version that they need. The oldest and the newest
 * are those with the first and the last `closeTime`, or `startTime` where there is none.
 */
export const scannedHistories = z.object({
  histories: count,
  payloads: count,
  oldest: z.optional(scannedHistory),
  newest: z.optional(scannedHistory),
});
export type ScannedHistories = z.infer<typeof scannedHistories>;

/** By place; places without such a history are absent. */
export const scannedByPlace = z.partialRecord(scanPlace, scannedHistories);
export type ScannedByPlace = z.infer<typeof scannedByPlace>;

/** A key, and the histories that need it. */
export const neededKey = z.object({
  /** Resource name of a crypto key that is configured, or that only messages name. */
  key: z.optional(z.string()),
  /**
   * Id of the crypto key in the headers of `envelope-v2` messages, 16 hexadecimal digits. Without `key`: no crypto key
   * of the configuration has this id.
   */
  keyId: z.optional(z.string().check(z.regex(/^[0-9a-f]{16}$/))),
  /** Id of a static key, in place of a crypto key. */
  staticKey: z.optional(z.string()),
  /**
   * The version that wrapped the branch key. Absent for messages of the other formats, which name no version: they may
   * need each version of the crypto key that existed when they were written. Without key ids too, they may need any
   * crypto key of the namespace.
   */
  version: z.optional(z.int().check(z.positive())),
  /** Number of payloads by wire format. */
  formats: z.partialRecord(payloadFormat, count),
  places: scannedByPlace,
});
export type NeededKey = z.infer<typeof neededKey>;

/**
 * What a scan points out.
 * - `plaintext`: payloads in plaintext where SDKs pass payloads to a codec
 * - `failure_in_plaintext`: failures whose message or stack trace is not encrypted
 * - `older_format`: messages in another format than `envelope-v2`
 * - `unknown_key`: messages under a crypto key that the namespace's configuration does not list
 * - `malformed`: messages that no key decrypts, because their header is damaged
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
 * Why a scan could not see something.
 * - `not_permitted`, `unavailable`: Temporal, or the storage of the exports, refused or did not answer
 * - `not_offered`: Temporal keeps data that it does not list, such as an archive without an archive of visibility records
 * - `unreadable`: a file, an event or a response cannot be read
 * - `external_storage`: payloads are stored outside of Temporal; the scan sees only references
 * - `inner_layer`: payloads that another codec encrypted or compressed, in which messages under any key may be
 * - `not_walked`: data of a kind that a scan does not read, such as activities that no workflow started
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

/** Something that the scan was to see and did not see. It may need any key version. */
export const scanGap = z.object({
  kind: scanGapKind,
  place: z.optional(scanPlace),
  /** A sentence for people. It contains no payload. */
  message: z.string(),
  /** Number of histories, files or payloads; absent where it is not known. */
  count: z.optional(count),
  example: z.optional(scannedHistory),
});
export type ScanGap = z.infer<typeof scanGap>;

/** What the scan looked at in one place of a namespace. */
export const scanCoverage = z.object({
  /**
   * `complete`: everything that Temporal listed was read. `partial`: the scan ended early, or something could not be
   * seen. `none`: there is no such place here, or the scan was not asked to look there.
   */
  status: z.enum(['complete', 'partial', 'none']),
  /** Histories, including those that an earlier scan had read. */
  histories: count,
  /** Histories that this scan read. The others were closed, and an earlier scan had read them. */
  read: count,
  payloads: count,
});
export type ScanCoverage = z.infer<typeof scanCoverage>;

/** The part of a report about one namespace, which is complete in itself. */
export const scannedNamespace = z.object({
  namespace: z.string(),
  /** Temporal's id of the namespace: one that is deleted and created anew under the same name has another id. */
  id: z.optional(z.string()),
  started: timestamp,
  /** Absent: the scan ended early. */
  finished: z.optional(timestamp),
  /**
   * Whether everything that the scan was asked to look at has been read. False: there are gaps, or the scan ended
   * early.
   */
  complete: z.boolean(),
  /** For how long Temporal keeps closed runs. */
  retentionSeconds: z.optional(count),
  looked: z.record(scanPlace, scanCoverage),
  /** The locations of the exports that were read: folders, or `gs://` URLs. */
  exports: z.array(z.string()),
  keys: z.array(neededKey),
  findings: z.array(scanFinding),
  gaps: z.array(scanGap),
});
export type ScannedNamespace = z.infer<typeof scannedNamespace>;

/** Whether the scan of a namespace has seen everything. It must have looked at the runs and the schedules. */
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
 * How long a version may still encrypt after it stopped being primary, in milliseconds: Cloud KMS takes up to 3 h to
 * stop wrapping branch keys under it (https://cloud.google.com/kms/docs/consistency), a process replaces its branch key
 * after 24 h at the latest, and a message may take 1 h to reach Temporal's store.
 */
export const STOPS_WITHIN_MS = (3 + 24 + 1) * 3_600_000;

/** A crypto key as Cloud KMS described it when the scan started. */
export const scannedKey = z.object({
  key: z.string(),
  time: timestamp,
  /** The version that encrypts; absent: none. */
  primary: z.optional(z.int().check(z.positive())),
  versions: z.array(
    z.object({
      version: z.int().check(z.positive()),
      /** Cloud KMS's CryptoKeyVersionState. */
      state: z.string(),
      created: z.optional(timestamp),
      /**
       * The first of the consecutive scans, with the same state folder, that found a later version to be primary. Cloud
       * KMS does not record when a version stopped being primary. Absent: it is not known.
       */
      notPrimarySince: z.optional(timestamp),
      /** The last scan, with the same state folder, that found the version to be primary. Absent: none. */
      lastPrimary: z.optional(timestamp),
    }),
  ),
});
export type ScannedKey = z.infer<typeof scannedKey>;

/**
 * A Temporal server, to recognize it again: a server at another address or with another cluster id is another server.
 */
export const scannedServer = z.object({
  address: z.string(),
  /** Absent: Temporal does not return it for these credentials. */
  clusterId: z.optional(z.string()),
});
export type ScannedServer = z.infer<typeof scannedServer>;

export const scanReport = z.object({
  version: z.literal(SCAN_REPORT_VERSION),
  /**
   * The Temporal server that was scanned. Absent in reports from earlier programs, which permit no destruction.
   */
  server: z.optional(scannedServer),
  started: timestamp,
  /** Absent: the scan ended early. */
  finished: z.optional(timestamp),
  /** Whether the scans of all namespaces are complete. */
  complete: z.boolean(),
  /** The crypto keys of the configuration. Absent: those that Cloud KMS did not describe. */
  cryptoKeys: z.array(scannedKey),
  namespaces: z.array(scannedNamespace),
});
export type ScanReport = z.infer<typeof scanReport>;
