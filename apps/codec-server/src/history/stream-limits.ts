import type { EndReason } from '@temporal-kms/codec-api';
import type { Payload, StoredPayload } from '@temporal-kms/histories/payloads';
import {
  type DecodePlan,
  type InnerKmsCalls,
  type KmsCodec,
  KmsCodecError,
  type PlaintextBudget,
} from '@temporal-kms/kms-codec';
import type { Logger } from 'pino';
import { HttpError, nameOf } from '../errors.ts';
import { type KmsAllowance, MAX_KMS_CALLS } from '../observability/kms-calls.ts';
import type { MemoryBudget, MemoryLease } from '../memory.ts';
import { freeObjects, type ReadOptions, type Retrieved } from '../storage/retrieval.ts';
import { createCheckpoint } from '../turns/checkpoint.ts';

/** The shortest time between two lines that report progress, in milliseconds. */
export const PROGRESS_MS = 250;

/* This module limits the time, the memory, and the Cloud KMS calls of one stream. */

/**
 * Maximum bytes of stored payloads that one request is decrypting or has not sent yet. A single payload may
 * exceed this limit.
 */
export const MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024;

/** Memory in bytes that a payload or an event in flight takes, in addition to the stored payloads. */
export const IN_FLIGHT_OVERHEAD_BYTES = 1_024;

export interface StreamLifetimeOptions {
  /** Aborted when the client disconnects. */
  readonly disconnected: AbortSignal;
  /** Aborted when the process shuts down. */
  readonly stopping: AbortSignal;
  /** The time at which the caller's token expires, in milliseconds since 1970. */
  readonly expiresAt?: number | undefined;
  /** Maximum duration in milliseconds. */
  readonly maxMs: number;
  /** The memory that all requests in flight share. */
  readonly memory: MemoryBudget;
}

/** Why a stream ended early. Clients see all reasons except `disconnected`. */
type StreamInterruption = Extract<EndReason, 'signed_out' | 'limit' | 'shutdown'> | 'disconnected';

/** How long a stream may continue. */
export interface StreamLifetime {
  /** Aborted when the stream must end. */
  readonly signal: AbortSignal;
  /**
   * Returns why the stream must end, or undefined while it may continue. Once a call has returned a reason,
   * all later calls return the same reason.
   */
  readonly interruption: () => StreamInterruption | undefined;
  /** The memory that all requests in flight share. */
  readonly memory: MemoryBudget;
  /**
   * Call this function between two units of work. The function yields to the event loop every few
   * milliseconds, because work on cached pages and keys would otherwise never yield.
   * @throws once the stream must end
   */
  readonly checkpoint: () => Promise<void>;
}

/** The longest delay of a timer: Node fires a timer with a longer delay immediately (TIMEOUT_MAX). */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Returns a lifetime that ends with the connection, the process, the caller's token, or after `maxMs`. */
export function streamLifetime({
  disconnected,
  stopping,
  expiresAt,
  maxMs,
  memory,
}: StreamLifetimeOptions): StreamLifetime {
  const signedInMs = expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAt - Date.now());
  const ms = Math.floor(Math.min(signedInMs, maxMs, MAX_TIMER_MS));
  const begun = performance.now();
  const timeout = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([disconnected, stopping, timeout]);
  // Compares times, because timers fire late on a busy event loop, and a token must not be used after it has
  // expired.
  const hasExpired = (): boolean => timeout.aborted || performance.now() - begun >= ms;
  const current = (): StreamInterruption | undefined => {
    if (disconnected.aborted) return 'disconnected';
    if (hasExpired()) return signedInMs <= maxMs ? 'signed_out' : 'limit';
    return stopping.aborted ? 'shutdown' : undefined;
  };
  const yieldTurn = createCheckpoint();
  let first: StreamInterruption | undefined;
  return {
    signal,
    memory,
    interruption: () => (first ??= current()),
    checkpoint: async () => {
      await yieldTurn();
      signal.throwIfAborted();
      if (hasExpired()) throw new Error('The time limit of the stream has passed.');
    },
  };
}

/**
 * Returns the reason and message for the last line of a failed stream, or undefined if the client has
 * disconnected. Logs only the names of unexpected errors, because their messages may contain payload data.
 */
export function streamEnd(
  error: unknown,
  { interruption }: Pick<StreamLifetime, 'interruption'>,
  log: Logger,
  stream: string,
): { reason: Exclude<EndReason, 'complete'>; message?: string } | undefined {
  const reason = interruption();
  if (reason === 'disconnected') return undefined;
  if (reason !== undefined) return { reason };
  if (error instanceof HttpError) return { reason: 'error', message: error.message };
  log.error({ error: nameOf(error) }, `${stream} stream failed unexpectedly`);
  return { reason: 'error', message: 'An unexpected error ended the stream; see the server log.' };
}

/**
 * Memory per byte of plaintext in a stream: the byte itself, its base64, the JSON, the data being sent, the
 * same amount again as uncollected garbage, and fragmentation.
 */
const PLAINTEXT_COST = 8;

/**
 * Memory per byte of an object in external storage, which is decrypted in place and sent in pieces: the
 * object, its copy for a worker thread, and garbage of twice the object's size.
 */
const OBJECT_COST = 4;

/**
 * Charges the plaintext of a payload or an event to a lease, and waits while other requests hold the memory.
 * A payload that would exceed the lease's share fails with `too_large`; other payloads are still decrypted.
 */
export class LeasedPlaintext implements PlaintextBudget, Pick<ReadOptions, 'hold'> {
  readonly #lease: MemoryLease;
  readonly #signal: AbortSignal;
  readonly #objectCost: number;
  readonly #objects: Payload[] = [];

  /**
   * @param signal ends the wait for memory
   * @param objectCost memory in bytes per byte of an object
   */
  constructor(lease: MemoryLease, signal: AbortSignal, objectCost = OBJECT_COST) {
    this.#lease = lease;
    this.#signal = signal;
    this.#objectCost = objectCost;
  }

  reserve(bytes: number): void | Promise<void> {
    return this.#take(bytes, PLAINTEXT_COST);
  }

  /**
   * Charges only the bytes that decompressing an object creates, because the object is decrypted in place.
   */
  readonly ofObject: PlaintextBudget = { reserve: (bytes) => this.#take(bytes, this.#objectCost) };

  readonly hold: ReadOptions['hold'] = async (bytes) => {
    await this.#take(bytes, 1, this.#objectCost);
    return (released) => this.#lease.release(released);
  };

  /**
   * Charges the memory that using an object takes in addition to its own bytes, which `hold` has already
   * charged. Returns a function that releases both charges.
   */
  async useObject({ payload, bytes, release }: Retrieved): Promise<() => void> {
    const more = bytes * (this.#objectCost - 1);
    try {
      await this.#take(bytes, this.#objectCost - 1, this.#objectCost);
    } catch (error) {
      release();
      throw error;
    }
    this.#objects.push(payload);
    return () => {
      release();
      this.#lease.release(more);
    };
  }

  /** Frees the objects. Call this function when the plaintext is no longer needed. */
  freeObjects(): void {
    freeObjects(this.#objects.splice(0));
  }

  /**
   * @param whole total memory per byte, including memory that is taken before or after this call; used
   * only for the limit in the error message
   */
  #take(bytes: number, cost: number, whole = cost): void | Promise<void> {
    if (this.#lease.fits(bytes * cost)) return this.#lease.wait(bytes * cost, this.#signal);
    const limit = Math.floor(this.#lease.share / whole);
    throw new KmsCodecError(
      'too_large',
      `The plaintext of the payload, with the other payloads of its event, exceeds ${limit} bytes, the limit for one ` +
        'response; raise CODEC_MAX_INFLIGHT_BYTES',
    );
  }
}

/**
 * Thrown if a payload's inner layers need more Cloud KMS calls than the request has left. The caller can
 * repeat the request to continue.
 */
export class KmsCallBudgetExhausted extends Error {}

/**
 * Limits the Cloud KMS calls of one request. Each wrapped key that is not cached needs one call. The
 * caller repeats the request for the payloads that were left out; by then, the keys of the first request
 * are cached.
 */
export class KmsCallBudget {
  readonly #codec: KmsCallCounter;
  #left = MAX_KMS_CALLS;
  #isExhausted = false;
  #skipped = 0;
  #used = 0;
  readonly #innerKeys = new Set<string>();

  constructor(codec: KmsCallCounter) {
    this.#codec = codec;
  }

  /** Whether any item was left out. */
  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  /** Number of calls that the accepted items need. */
  get used(): number {
    return this.#used;
  }

  /** Number of payloads that `take` accepted and `innerKmsCalls` then rejected. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * Takes calls for layers inside payloads, which are known only after decryption.
   * @throws KmsCallBudgetExhausted
   */
  readonly innerKmsCalls: InnerKmsCalls = {
    reserve: (ids) => {
      const added = ids.filter((id) => !this.#innerKeys.has(id));
      // As in `take`, the first payload may exceed the whole budget.
      if (added.length > this.#left && this.#left < MAX_KMS_CALLS) {
        this.#isExhausted = true;
        this.#skipped += 1;
        throw new KmsCallBudgetExhausted();
      }
      for (const id of added) this.#innerKeys.add(id);
      this.#used += added.length;
      this.#left = Math.max(0, this.#left - added.length);
    },
  };

  /**
   * Takes the calls for as many items as the budget allows. Always accepts a request's first item: otherwise
   * repeating the request would not help.
   * @param items the payloads of each item, with undefined for a payload that has not been read yet
   * @returns how many items may be decrypted, counted from the first item
   */
  take(items: readonly Item[]): number {
    const { allowance } = this.#codec;
    const left = Math.min(this.#left, allowance?.available() ?? this.#left);
    const { count, calls } = affordable(this.#codec, items, left);
    const isForced = count === 0 && items.length > 0 && this.#left === MAX_KMS_CALLS;
    const accepted = isForced ? 1 : count;
    this.#left = isForced ? 0 : this.#left - calls;
    this.#used += isForced ? kmsCalls(this.#codec, items[0] ?? []) : calls;
    allowance?.take(calls);
    this.#isExhausted ||= accepted < items.length;
    return accepted;
  }
}

/** Counts the Cloud KMS calls that payloads need, within the caller's allowance. */
interface KmsCallCounter {
  plan(...args: Parameters<KmsCodec['plan']>): Pick<DecodePlan, 'kmsCalls'>;
  readonly allowance?: KmsAllowance;
}

type Item = readonly (StoredPayload | undefined)[];

/**
 * Returns how many items, counted from the first item, together need at most `budget` calls, and how many
 * calls these items need.
 */
function affordable(
  codec: KmsCallCounter,
  items: readonly Item[],
  budget: number,
): { readonly count: number; readonly calls: number } {
  const callsForFirst = (count: number): number => kmsCalls(codec, items.slice(0, count).flat());
  const all = callsForFirst(items.length);
  if (all <= budget) return { count: items.length, calls: all };
  let [enough, calls, tooMany] = [0, 0, items.length];
  while (tooMany - enough > 1) {
    const middle = Math.floor((enough + tooMany) / 2);
    const needed = callsForFirst(middle);
    if (needed <= budget) [enough, calls] = [middle, needed];
    else tooMany = middle;
  }
  return { count: enough, calls };
}

/**
 * Counts each payload in the context of its own workflow. In another workflow's context, the codec would
 * reject a bound message without calling Cloud KMS. A payload that has not been read yet counts as one call.
 */
function kmsCalls(codec: KmsCallCounter, payloads: Item): number {
  const known = payloads.filter((payload) => payload !== undefined);
  const byWorkflow = Map.groupBy(known, ({ context }) => context.workflowId);
  let calls = payloads.length - known.length;
  for (const group of byWorkflow.values()) {
    const inWorkflow = group.map(({ payload }) => payload);
    calls += codec.plan(inWorkflow, group[0]?.context).kmsCalls;
  }
  return calls;
}
