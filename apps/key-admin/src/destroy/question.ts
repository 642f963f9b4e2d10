import type { ScanReport } from '@temporal-kms/codec-api';
import type { KeyDescription } from '@temporal-kms/kms-codec';
import type { TemporalServer } from '../temporal/server.ts';
import type { Statement } from './statement.ts';

/** How far the clocks of programs, Temporal and Cloud KMS may differ. */
export const MAX_SKEW_MS = 300_000;

export interface VersionQuestion {
  readonly key: string;
  readonly version: number;
  /** The crypto key as Cloud KMS describes it now. */
  readonly description: KeyDescription;
}

export interface DestroyQuestion extends VersionQuestion {
  /** At least one. Several reports may be about several Temporal servers, or about namespaces of one. */
  readonly reports: readonly ScanReport[];
  /** Temporal's servers, as they describe themselves now. */
  readonly servers: readonly TemporalServer[];
  /** What a person states about what no scan sees. */
  readonly statement: Statement | undefined;
  /** Namespaces that must have been scanned. */
  readonly namespaces: readonly string[];
  /** Whether the configuration uses the key also for namespaces that it does not name. */
  readonly hasOtherNamespaces: boolean;
  /** When the version stopped being primary, if a person states it, for example from the audit log. */
  readonly notPrimarySince?: Date;
  /** The maximum age of a report, from the time when its scan started. */
  readonly maxAgeMs: number;
  readonly now: Date;
}

/**
 * Why a version may not be destroyed.
 * - `no_version`: the crypto key has no such version, or it is already destroyed
 * - `primary`: it encrypts
 * - `needed`: histories need it
 * - `not_seen`: the scan did not see everything, or not every namespace
 * - `other_server`: the report is about another Temporal server, or about a namespace that no longer exists
 * - `not_stated`: what no scan sees is not stated, or the statement does not fit
 * - `may_still_encrypt`: when the scan started, programs may still have encrypted under the version
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
