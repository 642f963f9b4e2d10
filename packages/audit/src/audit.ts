import { randomUUID } from 'node:crypto';
import {
  type AuditEntry,
  type AuditOperation,
  countReason,
  type KeyUse,
  MAX_REFS,
  type PayloadRef,
  type ReasonCode,
  type ReasonCounts,
} from '@temporal-kms/codec-api';

/** An authenticated caller, without the token. */
export interface AuditedCaller {
  /** The name to show: the e-mail address, or the subject if there is no e-mail address. */
  readonly name: string;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
}

/** An operation and its caller, as an audit entry records them. Contains no payload and no token. */
export interface Intent {
  readonly operation: AuditOperation;
  readonly caller: AuditedCaller;
  /** The client's address. */
  readonly peer: string | undefined;
  readonly namespace: string | undefined;
  /**
   * The request's namespace, if the entry is about a message from another namespace. The run and the refs
   * belong to the request's namespace.
   */
  readonly requestNamespace?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly runId?: string | undefined;
  /** True if the caller sent the payloads in a history file. The workflow id is from that file. */
  readonly source?: 'file' | undefined;
  /** The payloads that the caller named. */
  readonly refs?: readonly string[];
  /** The schedule whose payloads the caller named. */
  readonly scheduleId?: string | undefined;
  /** The type of the query that a worker runs. */
  readonly query?: string | undefined;
  /** Keyed digests of the ciphertexts that the caller sent. */
  readonly digests?: readonly string[];
  readonly justification?: string;
}

/** An object in external storage. */
export type AuditedObject = NonNullable<AuditEntry['object']>;
export type Denied = NonNullable<AuditEntry['denied']>;
export type Outcome = NonNullable<AuditEntry['outcome']>['result'];

interface RepeatedDenial {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly count: number;
}

/** An operation in progress. Counts the payloads by result, for the `outcome` entry. */
export interface AuditRecord {
  /** Counts payloads that were encrypted or decrypted under one key. Default: one payload. */
  done(key?: KeyUse, payloads?: number): void;
  /** Counts a payload that could not be encrypted or decrypted. */
  refused(code: ReasonCode, of?: { readonly ref?: PayloadRef; readonly key?: KeyUse }): void;
  /**
   * Writes an `object` entry. Wait for the promise before you read the object.
   * @throws the error of the sink
   */
  object(object: AuditedObject): Promise<void>;
  /**
   * Writes the `outcome` entry. Further calls have no effect.
   * @throws the error of the sink; after such an error, do not release plaintext
   */
  end(result: Outcome): Promise<void>;
}

export interface Audit {
  /**
   * Writes the `intent` entry. Wait for the promise before you decrypt.
   * @throws the error of the sink
   */
  begin(intent: Intent): Promise<AuditRecord>;
  /**
   * Writes a `denied` entry.
   * @param repeated the number of further denials of this kind that the entry counts, or `undefined` if the
   *   entry is about this denial alone
   * @throws the error of the sink
   */
  denied(intent: Intent, why: Denied, repeated?: RepeatedDenial): Promise<void>;
  /** Resolves once every operation in progress has written its outcome, or has failed to write it. */
  settled(): Promise<void>;
}

/** The destination of the entries. */
export interface EntrySink {
  /** @throws if the entry is not written within a second */
  write(entry: AuditEntry): Promise<void>;
}

/**
 * Returns an audit that writes its entries to a sink.
 * @param now milliseconds since 1970
 */
export function createAudit(sink: EntrySink, now: () => number = Date.now): Audit {
  let inProgress = 0;
  let settled: PromiseWithResolvers<void> | undefined;
  const time = timestamps(now);

  const writeOutcome = async (intent: Intent, id: string, result: Outcome, tally: Tally): Promise<void> => {
    try {
      await sink.write(entryOf(time(), id, 'outcome', intent, { outcome: { result, ...tally.summary() } }));
    } finally {
      inProgress -= 1;
      if (inProgress === 0) {
        settled?.resolve();
        settled = undefined;
      }
    }
  };

  return {
    denied: (intent, why, repeated) =>
      sink.write(
        entryOf(time(), randomUUID(), 'denied', intent, {
          denied: why,
          count: repeated?.count,
          since: repeated && new Date(repeated.since).toISOString(),
        }),
      ),
    begin: async (intent) => {
      const id = randomUUID();
      const { digests = [] } = intent;
      const [first, ...more] = slicesOf(digests, MAX_DIGESTS);
      await sink.write(entryOf(time(), id, 'intent', intent, { digests: first }));
      // Write one line at a time, because all callers share the bounded queue.
      for (const [n, slice] of more.entries())
        await sink.write(entryOf(time(), id, 'digests', intent, { digests: slice, part: n + 2 }));
      inProgress += 1;
      const tally = new Tally();
      // The `intent` entry already names the refs, so later entries omit the refs.
      const { refs: _refs, ...about } = intent;
      let objects = 0;
      let ended: Promise<void> | undefined;
      return {
        done: (key, payloads = 1) => tally.done(key, payloads),
        refused: (code, of) => tally.refused(code, of?.key),
        object: (object) => {
          objects += 1;
          return sink.write(entryOf(time(), id, 'object', about, { object: object, part: objects }));
        },
        end: (result) => (ended ??= writeOutcome(intent, id, result, tally)),
      };
    },
    settled: async () => {
      if (inProgress === 0) return;
      settled ??= Promise.withResolvers<void>();
      await settled.promise;
    },
  };
}

/**
 * Returns the time as text. Formats each millisecond only once, because dozens of entries are written in the
 * same millisecond.
 */
function timestamps(now: () => number): () => string {
  let made = Number.NaN;
  // Stryker disable next-line StringLiteral: the first call replaces the text.
  let text = '';
  return () => {
    const current = now();
    // Stryker disable next-line ConditionalExpression: affects only the speed.
    if (current !== made) [made, text] = [current, new Date(current).toISOString()];
    return text;
  };
}

/** Maximum number of keys in an entry. A search of a long history may use more keys. */
const MAX_KEYS = 32;

/**
 * Counts payloads by key and by reason code. An entry's length therefore depends on the number of keys, not
 * on the number of payloads.
 */
class Tally {
  #payloads = 0;
  readonly #keys: { readonly key: KeyUse; payloads: number }[] = [];
  readonly #codes: ReasonCounts = {};

  done(key: KeyUse | undefined, payloads: number): void {
    this.#payloads += payloads;
    if (key !== undefined) this.#used(key, payloads);
  }

  refused(code: ReasonCode, key: KeyUse | undefined): void {
    countReason(this.#codes, code);
    if (key !== undefined) this.#used(key, 0);
  }

  summary(): Omit<NonNullable<AuditEntry['outcome']>, 'result'> {
    return {
      payloads: this.#payloads,
      keys: this.#keys.map(({ key, payloads }) => ({ name: cut(key.name), version: key.version, payloads })),
      refused: this.#codes,
    };
  }

  #used(key: KeyUse, payloads: number): void {
    const known = this.#keys.find(
      (other) => other.key.name === key.name && other.key.version === key.version,
    );
    if (known !== undefined) known.payloads += payloads;
    else if (this.#keys.length < MAX_KEYS) this.#keys.push({ key, payloads });
    else if (payloads > 0) this.#replaceUnused({ key, payloads });
  }

  /**
   * Forged messages can name any key, so a key that decrypted a payload displaces a key that decrypted none.
   */
  #replaceUnused(used: { readonly key: KeyUse; readonly payloads: number }): void {
    const unused = this.#keys.find(({ payloads }) => payloads === 0);
    if (unused !== undefined) Object.assign(unused, used);
  }
}

/** Maximum length of a string from a token, a path or a body, so that callers cannot write long lines. */
const MAX_TEXT = 1_000;

/**
 * Keeps undefined fields in the object, because V8 is faster if all objects have the same fields, and
 * `JSON.stringify` omits undefined fields anyway.
 */
function entryOf(
  time: string,
  id: string,
  event: AuditEntry['event'],
  intent: Intent,
  { outcome, denied, count, since, digests, object, part }: Partial<AuditEntry> = {},
): AuditEntry {
  const { operation, caller, peer, namespace, requestNamespace, workflowId, runId } = intent;
  const { source, justification, refs, query, scheduleId } = intent;
  return {
    time,
    id,
    event,
    outcome,
    denied,
    count,
    since,
    operation,
    who: { name: cut(caller.name), issuer: cut(caller.issuer), subject: cut(caller.subject) },
    from: cut(peer),
    namespace: cut(namespace),
    requestNamespace: cut(requestNamespace),
    workflowId: cut(workflowId),
    runId: cut(runId),
    source,
    justification: cut(justification),
    refs: refs?.slice(0, MAX_REFS),
    scheduleId: cut(scheduleId),
    query: cut(query),
    digests,
    object,
    part,
  };
}

/** Maximum number of digests in one entry; further digests go into further entries. */
const MAX_DIGESTS = 200;

function slicesOf<T>(all: readonly T[], size: number): T[][] {
  const slices: T[][] = [];
  for (let from = 0; from < all.length; from += size) slices.push(all.slice(from, from + size));
  return slices;
}

/**
 * Returns the intent in a form that is small enough to keep in memory: without refs, digests and
 * justification, and with the other strings cut to their maximum length in an entry.
 */
export const shortened = ({
  operation,
  caller,
  peer,
  namespace,
  requestNamespace,
  workflowId,
  runId,
  source,
  scheduleId,
  query,
}: Intent): Intent => ({
  operation,
  caller: { name: cut(caller.name), issuer: cut(caller.issuer), subject: cut(caller.subject) },
  peer: cut(peer),
  namespace: cut(namespace),
  requestNamespace: cut(requestNamespace),
  workflowId: cut(workflowId),
  runId: cut(runId),
  source,
  scheduleId: cut(scheduleId),
  query: cut(query),
});

function cut<T extends string | undefined>(text: T): T;
function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
