import type { CallInfo } from './faults.ts';

/** The number of calls with the same caller, method, resource and outcome (`OK` or a status). */
export interface CallCount extends CallInfo {
  readonly status: string;
  readonly count: number;
}

const MAX_ROWS = 10_000;

/** Counts calls, so that tests can check how many calls an operation makes. */
export class CallLog {
  readonly #rows = new Map<string, CallCount>();
  #inFlight = 0;

  /** Counts a call that has arrived; {@link end} records its outcome. */
  begin(): void {
    this.#inFlight += 1;
  }

  end(call: CallInfo, status: string): void {
    this.#inFlight -= 1;
    this.#record(call, status);
  }

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

  /** Returns all rows, or only the rows of one method. */
  rows(method?: string): CallCount[] {
    return [...this.#rows.values()].filter((row) => method === undefined || row.method === method);
  }

  /** Returns the number of calls of all methods, or of one method. */
  count(method?: string): number {
    return this.rows(method).reduce((sum, { count }) => sum + count, 0);
  }

  reset(): void {
    this.#rows.clear();
  }
}
