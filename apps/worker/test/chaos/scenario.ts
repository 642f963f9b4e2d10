import type { Checks } from './checks.ts';
import type { StoreKind } from './stores.ts';

/** The options of a scenario. */
export interface ScenarioOptions {
  /** Number of worker processes per role. */
  readonly processes: number;
  /** Number of workflows in progress. */
  readonly inFlight: number;
  /** The length of each phase in seconds. */
  readonly seconds: number;
  /** Milliseconds after which encryption keys are replaced. */
  readonly keyLifetimeMs: number;
  /** How processes share branch keys. Default: in a directory; in `revoke` and `store`, in several ways. */
  readonly store?: StoreKind | undefined;
  /** The share of its throughput that a fleet must keep during an outage of Cloud KMS. */
  readonly keptThroughput: number;
  /** Number of workflows in the scenario `memory`. */
  readonly workflows: number;
  /** For the scenario `random`: the seed, the number of faults, and the period in which they begin. */
  readonly seed: number;
  readonly faults: number;
  readonly minutes: number;
}

/** Runs to the end, even if a promise is broken. @throws Error if the scenario cannot continue */
export type Scenario = (checks: Checks, options: ScenarioOptions) => Promise<void>;
