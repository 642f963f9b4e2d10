import type { Checks } from './checks.ts';
import type { StoreKind } from './stores.ts';

/** The size of a scenario. */
export interface ScenarioOptions {
  /** Worker processes of each role. */
  readonly processes: number;
  /** Workflows in progress. */
  readonly inFlight: number;
  /** The length of each phase. */
  readonly seconds: number;
  /** Milliseconds after which the keys that encrypt are replaced. */
  readonly keyLifetimeMs: number;
  /** How the processes share their branch keys. Default: in a directory; the scenarios `revoke` and `store` use all kinds. */
  readonly store?: StoreKind | undefined;
  /** The share of its throughput that a fleet keeps in an outage of Cloud KMS. */
  readonly keptThroughput: number;
  /** Workflows of the scenario `memory`. */
  readonly workflows: number;
  /** Of the faults of the scenario `random`, with their number and the time in which they begin. */
  readonly seed: number;
  readonly faults: number;
  readonly minutes: number;
}

/** Runs to its end, also when a promise is broken. @throws Error when it cannot continue */
export type Scenario = (checks: Checks, options: ScenarioOptions) => Promise<void>;
