import { randomUUID } from 'node:crypto';
import type { StatusName } from '../model/errors.ts';

/**
 * The effect of a fault: an error with the given status; no response; a flipped bit in the data of the response;
 * or a request that arrives without its checksums.
 */
export type FaultEffect =
  | { readonly kind: 'error'; readonly status: StatusName; readonly message?: string }
  | { readonly kind: 'hang' }
  | { readonly kind: 'corrupt_response' }
  | { readonly kind: 'drop_checksums' };

/**
 * A fault's effect, and the limits of the fault: which calls it affects, how many, and for how long. An
 * absent field restricts nothing.
 */
export interface Fault {
  readonly effect: FaultEffect;
  readonly method?: string;
  readonly identity?: string;
  /** The beginning of the resource name in the request. */
  readonly resource?: string;
  readonly times?: number;
  readonly seconds?: number;
}

export interface FaultState extends Fault {
  readonly id: string;
  readonly remaining?: number;
  /** Milliseconds since the epoch. */
  readonly until?: number;
}

/** The properties of a call by which faults are selected and calls are counted. */
export interface CallInfo {
  readonly method: string;
  readonly identity: string;
  readonly resource: string;
}

/**
 * Holds faults in the order in which they were injected. If several faults match a call, only the first takes
 * effect.
 */
export class Faults {
  #faults: FaultState[] = [];

  inject(fault: Fault, now: number): FaultState {
    const state: FaultState = {
      ...fault,
      id: randomUUID(),
      ...(fault.times === undefined ? {} : { remaining: fault.times }),
      ...(fault.seconds === undefined ? {} : { until: now + fault.seconds * 1000 }),
    };
    this.#faults.push(state);
    return state;
  }

  list(now: number): FaultState[] {
    this.#faults = this.#faults.filter(
      ({ remaining, until }) => remaining !== 0 && (until === undefined || now < until),
    );
    return [...this.#faults];
  }

  clear(): void {
    this.#faults = [];
  }

  /**
   * Returns the effect of the fault that matches a call, or undefined if no fault matches. Counts the call
   * toward the fault's `times`.
   */
  take(call: CallInfo, now: number): FaultEffect | undefined {
    const fault = this.list(now).find(
      ({ method, identity, resource }) =>
        (method === undefined || method === call.method) &&
        (identity === undefined || identity === call.identity) &&
        (resource === undefined || call.resource.startsWith(resource)),
    );
    if (fault === undefined) return undefined;
    const { remaining } = fault;
    if (remaining !== undefined) {
      this.#faults = this.#faults.map((other) =>
        other.id === fault.id ? { ...other, remaining: remaining - 1 } : other,
      );
    }
    return fault.effect;
  }
}
