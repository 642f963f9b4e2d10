import type { PayloadRef } from '@temporal-kms/codec-api';
import type { Cause } from './cause.ts';
import type { Place } from './place.ts';
import type { WhyRun } from './run.ts';

/** `failed`: it did not reach its end. `stuck`: it will not without help. `waits`: for something that can still come. */
export type Severity = 'failed' | 'stuck' | 'waits' | 'note';

/** What a rule has found in a run. It contains plaintext only in `cause`, and in the name of a place. */
export interface Fact {
  /** In place of the rule's title. */
  readonly title?: string | undefined;
  /** A sentence without plaintext of payloads: which time limit, who paused it, how many steps. */
  readonly detail?: string | undefined;
  readonly cause?: Cause | undefined;
  /** The step of this run that it is about. */
  readonly place?: Place | undefined;
  /** The event to open. */
  readonly eventId?: number | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  /** The number of the latest attempt, from 1. */
  readonly attempt?: number | undefined;
  readonly maximumAttempts?: number | undefined;
  /** When Temporal tries again, or a timer fires, in milliseconds since 1970. */
  readonly nextAt?: number | undefined;
  readonly queue?: string | undefined;
  readonly remedy?: string | undefined;
  /** Payloads with names or messages of this fact, in addition to those of the cause. */
  readonly refs?: readonly PayloadRef[] | undefined;
}

/** One row of the table of rules. */
export interface Rule {
  /** Never reused for another meaning: it is in the output of `explain --json`. */
  readonly id: string;
  readonly severity: Severity;
  /** A noun phrase or a short sentence. */
  readonly title: string;
  /** What to do, where that does not depend on the run. */
  readonly remedy?: string;
  /** Returns what the rule finds, the most urgent first. */
  readonly find: (run: WhyRun) => readonly Fact[];
}

/** A fact with the rule that found it. */
export interface Finding extends Fact {
  readonly rule: string;
  readonly severity: Severity;
  readonly title: string;
  /** Of the cause: equal for failures with the same cause, as far as they are decrypted alike. */
  readonly fingerprint?: string | undefined;
}
