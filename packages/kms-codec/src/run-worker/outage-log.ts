import { reasonClass, type ReasonCode } from '../errors.ts';
import type { Observer } from '../observer.ts';
import type { SafeLogEntry } from '../worker-logging.ts';

/** Receives the entries of a log, as in `createSafeLogger({ write })`. */
export type WriteLog = (entry: SafeLogEntry) => void;

/** After an outage, another is logged only when this time has passed since the last line, so that flapping is one line. */
const INTERVAL_MS = 60_000;

const MAX_EVENTS = 1_000;

/** Logs one line when something becomes unavailable, and one when it is available again. */
export class OutageLog {
  readonly #write: WriteLog;
  readonly #down: string;
  readonly #up: string;
  readonly #now: () => number;
  #since: number | undefined;
  #isLogged = false;
  #lastLine = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(write: WriteLog, messages: { readonly down: string; readonly up: string }, now: () => number) {
    this.#write = write;
    this.#down = messages.down;
    this.#up = messages.up;
    this.#now = now;
  }

  get isDown(): boolean {
    return this.#since !== undefined;
  }

  /** Reports a failure. */
  down(fields: SafeLogEntry['fields']): void {
    const now = this.#now();
    this.#since ??= now;
    this.#failures += 1;
    if (this.#isLogged || now - this.#lastLine < INTERVAL_MS) return;
    this.#isLogged = true;
    this.#lastLine = now;
    this.#write({ level: 'WARN', message: this.#down, fields });
  }

  /** Reports a success. */
  up(fields: SafeLogEntry['fields'] = {}): void {
    if (this.#since === undefined) return;
    const seconds = Math.round((this.#now() - this.#since) / 1_000);
    if (this.#isLogged) {
      this.#write({
        level: 'INFO',
        message: this.#up,
        fields: { ...fields, seconds, failures: this.#failures },
      });
    }
    this.#since = undefined;
    this.#isLogged = false;
    this.#failures = 0;
  }
}

/** Logs the first of many equal events at once, and the number of those that follow at most once a minute. */
class RepeatedEvents {
  readonly #write: WriteLog;
  readonly #now: () => number;
  readonly #known = new Map<string, { since: number; repeated: number }>();

  constructor(write: WriteLog, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  log(message: string, fields: SafeLogEntry['fields'], level: SafeLogEntry['level'] = 'WARN'): void {
    const id = JSON.stringify(fields);
    const known = this.#known.get(id);
    const now = this.#now();
    if (known && now - known.since < INTERVAL_MS) {
      known.repeated += 1;
      return;
    }
    if (this.#known.size >= MAX_EVENTS) this.#known.clear();
    this.#known.set(id, { since: now, repeated: 0 });
    this.#write({ level, message, fields: { ...fields, ...(known && { repeated: known.repeated }) } });
  }
}

const isOutage = (code: ReasonCode): boolean => reasonClass(code) === 'retryable';

/**
 * Returns an observer that logs what matters to an operator: new keys; one line when Cloud KMS becomes unavailable or
 * rejects a key, and one when that ends, whatever the number of payloads; payloads that are rejected for another reason, at
 * most once a minute for each reason. No line contains plaintext or key bytes.
 * @param write receives the lines, as in `createSafeLogger({ write })`
 * @example
 * ```ts
 * const codec = loadKmsCodec({ observer: outageObserver(({ level, message, fields }) => log(level, message, fields)) });
 * ```
 */
export function outageObserver(write: WriteLog, now: () => number = () => performance.now()): Observer {
  const unavailable = new OutageLog(
    write,
    { down: 'Cloud KMS unavailable', up: 'Cloud KMS available again' },
    now,
  );
  const rejected = new Map<string, OutageLog>();
  const repeated = new RepeatedEvents(write, now);
  const rejectionsOf = (id: string): OutageLog => {
    const messages = { down: 'Cloud KMS rejects calls', up: 'Cloud KMS accepts calls again' };
    const known = rejected.get(id) ?? new OutageLog(write, messages, now);
    rejected.set(id, known);
    return known;
  };
  return {
    kmsCall: ({ operation, key, code }) => {
      // An identity that may not describe keys may still use them.
      if (operation === 'describe') return;
      if (code === undefined) {
        unavailable.up({ operation, key });
        rejected.get(`${operation} ${key}`)?.up({ operation, key });
      } else if (isOutage(code)) {
        unavailable.down({ operation, key, code });
      } else if (code !== 'integrity_failed' && code !== 'malformed') {
        unavailable.up({ operation, key });
        rejectionsOf(`${operation} ${key}`).down({ operation, key, code });
      }
    },
    refused: ({ namespace, code, key }) => {
      // The line of the outage covers them.
      if (unavailable.isDown && isOutage(code) && code !== 'data_key_exhausted') return;
      repeated.log('Payload rejected', { namespace, code, ...(key !== undefined && { key }) });
    },
    failureReplaced: (event) =>
      repeated.log('Failure stored without its message and details', { ...event }, 'ERROR'),
    dataKeyRotated: (event) => write({ level: 'INFO', message: 'New key in use', fields: { ...event } }),
    dataKeyRefreshFailed: (event) =>
      repeated.log('Key refresh failed; the current key stays in use', { ...event }),
    branchKeyStoreFailed: ({ message: reason, ...event }) =>
      write({
        level: 'WARN',
        message: 'Branch key store failed; this process continues with its own branch keys',
        fields: { ...event, reason },
      }),
    branchKeyStoreRecovered: (event) =>
      write({ level: 'INFO', message: 'Branch key store works again', fields: { ...event } }),
  };
}
