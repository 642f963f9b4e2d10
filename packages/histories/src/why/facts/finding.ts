import type { PayloadRef } from '@temporal-kms/codec-api';
import type { Cause } from './cause.ts';
import type { Place } from './place.ts';
import type { WhyRun } from './run.ts';

/**
 * `failed` means that the run failed. `stuck` means that the run cannot continue without help. `waits` means
 * that the run waits for something that can still happen.
 */
export type Severity = 'failed' | 'stuck' | 'waits' | 'note';

/** A fact that a rule has found in a run. Contains plaintext only in `cause` and in the names of places. */
export interface Fact {
  /** The title, if it differs from the rule's title. */
  readonly title?: string | undefined;
  /**
   * A sentence with details, such as the time limit, who paused the run, or the number of steps. Contains no
   * plaintext from payloads.
   */
  readonly detail?: string | undefined;
  readonly cause?: Cause | undefined;
  /** The step of this run that the fact is about. */
  readonly place?: Place | undefined;
  /** The id of the event to open. */
  readonly eventId?: number | undefined;
  /**
   * When the fact began, in milliseconds since 1970. For a step that Temporal retries, when the step was first
   * scheduled.
   */
  readonly since?: number | undefined;
  /** The number of the latest attempt, from 1. */
  readonly attempt?: number | undefined;
  readonly maximumAttempts?: number | undefined;
  /** When Temporal makes the next attempt or a timer fires, in milliseconds since 1970. */
  readonly nextAt?: number | undefined;
  readonly queue?: string | undefined;
  readonly remedy?: string | undefined;
  /** Further payloads, besides `cause.refs`, that contain this fact's names or messages. */
  readonly refs?: readonly PayloadRef[] | undefined;
}

/** A row in the table of rules. */
export interface Rule {
  /**
   * The rule's id. The id is part of the output of `explain --json`, so it is never reused with another
   * meaning.
   */
  readonly id: string;
  readonly severity: Severity;
  /** The title, which is a noun phrase or a short sentence. */
  readonly title: string;
  /**
   * The title for a closed run, if it differs. A rule with this title has a remedy for open runs only, because
   * a closed run cannot continue.
   */
  readonly past?: string;
  /** What to do about the finding, if that does not depend on the run. */
  readonly remedy?: string;
  /** Returns the facts that the rule finds, most urgent first. */
  readonly find: (run: WhyRun) => readonly Fact[];
}

/** A fact with the rule that found it. */
export interface Finding extends Fact {
  readonly rule: string;
  readonly severity: Severity;
  readonly title: string;
  /**
   * The cause's fingerprint. Failures with the same cause have the same fingerprint, if the same parts are
   * decrypted.
   */
  readonly fingerprint?: string | undefined;
}
