import type { ScanReport } from '@temporal-kms/codec-api';
import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { TemporalServer } from '../temporal/server.ts';
import type { Statement } from './statement.ts';

/** How far the clocks of programs, Temporal and Cloud KMS may differ, in milliseconds. */
export const MAX_SKEW_MS = 300_000;

export interface VersionQuestion {
  readonly key: string;
  readonly version: number;
  /** The crypto key as Cloud KMS describes it now. */
  readonly description: KeyDescription;
}

export interface DestroyQuestion extends VersionQuestion {
  /**
   * At least one report. Reports may be about different Temporal servers, or about different namespaces of
   * one server.
   */
  readonly reports: readonly ScanReport[];
  /** The Temporal servers, as they describe themselves now. */
  readonly servers: readonly TemporalServer[];
  /** A person's statement about data that no scan sees. */
  readonly statement: Statement | undefined;
  /** Namespaces that must have been scanned. */
  readonly namespaces: readonly string[];
  /** Whether the configuration also uses the key for namespaces that the configuration does not name. */
  readonly hasOtherNamespaces: boolean;
  /**
   * The time at which the version stopped being primary, if a person states it, for example from the audit
   * log.
   */
  readonly notPrimarySince?: Date;
  /** The maximum age of a report, counted from the start of its scan. */
  readonly maxAgeMs: number;
  readonly now: Date;
}

/**
 * Why a version may not be destroyed.
 * - `no_version`: the crypto key has no such version, or it is already destroyed
 * - `primary`: programs encrypt under the version
 * - `needed`: histories need the version
 * - `not_seen`: the scan did not see everything, or not every namespace
 * - `other_server`: the report is about another Temporal server, or about a namespace that no longer exists
 * - `not_stated`: there is no statement about data that no scan sees, or the statement does not match the
 *   scan
 * - `may_still_encrypt`: programs may still have encrypted under the version when the scan started
 * - `report_too_old`: the report is older than permitted, or from the future
 */
type ReasonCode =
  | 'no_version'
  | 'primary'
  | 'needed'
  | 'not_seen'
  | 'other_server'
  | 'not_stated'
  | 'may_still_encrypt'
  | 'report_too_old';

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}
