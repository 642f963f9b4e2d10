import { CallLog } from './call-log.ts';
import { Faults } from './faults.ts';
import { Quotas } from './quotas.ts';

/** The latency of calls in milliseconds: a value for all methods, and exceptions for individual methods. */
export interface Latency {
  readonly all: number;
  readonly methods: Readonly<Record<string, number>>;
}

/** Seconds until changes reach Encrypt and Decrypt, and until a new version has its key material. */
export interface Propagation {
  readonly disable: number;
  readonly primary: number;
  readonly iam: number;
  readonly generation: number;
}

/** The conditions that a test can change while the emulator runs. A restart resets the conditions. */
export class Conditions {
  readonly faults = new Faults();
  readonly quotas = new Quotas();
  readonly calls = new CallLog();
  latency: Latency = { all: 0, methods: {} };
  propagation: Propagation = { disable: 0, primary: 0, iam: 0, generation: 0 };

  latencyOf(method: string): number {
    return this.latency.methods[method] ?? this.latency.all;
  }

  /** Removes all faults, limits and delays, and resets the counts. */
  reset(): void {
    this.faults.clear();
    this.quotas.set({});
    this.calls.reset();
    this.latency = { all: 0, methods: {} };
    this.propagation = { disable: 0, primary: 0, iam: 0, generation: 0 };
  }
}
