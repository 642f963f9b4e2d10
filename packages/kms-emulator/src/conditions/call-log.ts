import type { CallInfo } from './faults.ts';

/** How often a method was called by whom on what, with which outcome (`OK` or a status). */
export interface CallCount extends CallInfo {
  readonly status: string;
  readonly count: number;
}

const MAX_ROWS = 10_000;

/** Counts calls; for tests that say how many calls something may cost. */
export class CallLog {
  readonly #rows = new Map<string, CallCount>();
  #inFlight = 0;

  /** A call has come in; {@link end} says how it went. */
  begin(): void {
    this.#inFlight += 1;
  }

  end(call: CallInfo, status: string): void {
    this.#inFlight -= 1;
    this.#record(call, status);
  }

  /** The number of calls that have come in and are not answered. */
  inFlight(): number {
    return this.#inFlight;
  }

  #record(call: CallInfo, status: string): void {
    const key = JSON.stringify([call.method, call.identity, call.resource, status]);
    const known = this.#rows.get(key);
    if (known === undefined && this.#rows.size >= MAX_ROWS && call.resource !== '(others)') {
      this.#record({ ...call, resource: '(others)' }, status);
      return;
    }
    const { method, identity, resource } = call;
    this.#rows.set(key, { method, identity, resource, status, count: (known?.count ?? 0) + 1 });
  }

  /** All rows, or those of one method. */
  rows(method?: string): CallCount[] {
    return [...this.#rows.values()].filter((row) => method === undefined || row.method === method);
  }

  /** The number of calls, of all methods or of one. */
  count(method?: string): number {
    return this.rows(method).reduce((sum, { count }) => sum + count, 0);
  }

  reset(): void {
    this.#rows.clear();
  }
}
