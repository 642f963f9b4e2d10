import type { CallLog } from '../conditions/call-log.ts';
import type { Conditions, Latency, Propagation } from '../conditions/conditions.ts';
import type { Fault, FaultState } from '../conditions/faults.ts';
import type { QuotaLimits } from '../conditions/quotas.ts';
import type { Purpose } from '../model/algorithms.ts';
import type { MovableClock } from '../model/clock.ts';
import { createVersion, requirePurpose, setPrimary, type CryptoKey } from '../model/crypto-key.ts';
import { KmsError } from '../model/errors.ts';
import type { Binding, Policy } from '../model/iam/policies.ts';
import { forceState, type VersionState } from '../model/key-version.ts';
import { tryCryptoKey, tryKeyRing, versionName } from '../model/names.ts';
import { delaysOf } from '../service/context.ts';
import type { DispatchDeps } from '../service/dispatch.ts';

/** A key as `GET /keys` returns it. Times are in ISO 8601. */
interface KeySummary {
  readonly name: string;
  readonly purpose: Purpose;
  /** The name of the primary version. */
  readonly primary?: string;
  readonly rotationPeriodSeconds?: number;
  readonly nextRotationTime?: string;
  /** Number of versions in each state. */
  readonly versions: Readonly<Record<string, number>>;
}

/**
 * The functions with which a test can change a running emulator. The control API offers the same functions
 * over HTTP.
 */
export interface Controls {
  readonly calls: Pick<CallLog, 'count' | 'rows' | 'inFlight' | 'reset'>;
  now(): Date;
  /** Moves the clock, and performs the rotations, key generations and destructions that have become due. */
  advance(seconds: number): Promise<Date>;
  setTime(time: Date): Promise<Date>;
  /** Resets the clock to the real time. Changes to keys remain. */
  resetTime(): Date;
  /** Returns all keys with their versions by state. */
  keys(): KeySummary[];
  /**
   * Creates a new primary version of a key, or of every key that has a primary version. Rotation schedules do
   * not change.
   */
  rotate(name?: string): Promise<KeySummary[]>;
  injectFault(fault: Fault): FaultState;
  faults(): FaultState[];
  clearFaults(): void;
  /** Sets how many milliseconds calls take, for all methods and for individual methods. */
  setLatency(latency: Partial<Latency>): Latency;
  latency(): Latency;
  /** Sets how long changes take to propagate, in seconds. */
  setPropagation(propagation: Partial<Propagation>): Propagation;
  propagation(): Propagation;
  /** Replaces all limits, in calls per minute. */
  setQuotas(limits: QuotaLimits): QuotaLimits;
  quotas(): QuotaLimits;
  /** Returns the policy of a project (`projects/p`), key ring or crypto key. */
  policy(resource: string): Policy;
  /** Replaces the bindings of a policy, without a permission check. */
  setPolicy(resource: string, bindings: readonly Binding[]): Promise<Policy>;
  /** Puts a version into any state, including states that the emulator's RPCs cannot produce. */
  setVersionState(name: string, state: VersionState, reason?: string): Promise<void>;
  /** Removes all faults, latency, delays, quotas and counts. Keys, policies and the clock remain. */
  reset(): void;
}

/** Creates the controls of an emulator; `clock` must be the clock in `deps`. */
export function createControls(deps: DispatchDeps, clock: MovableClock): Controls {
  const { store, conditions, source } = deps;
  const settle = async () => {
    store.state.keys.advance(clock.now(), source, delaysOf({ conditions }));
    await store.save();
    return new Date(clock.now());
  };
  return {
    calls: conditions.calls,
    now: () => new Date(clock.now()),
    advance: (seconds) => {
      clock.advance(seconds * 1000);
      return settle();
    },
    setTime: (time) => {
      clock.set(time.getTime());
      return settle();
    },
    resetTime: () => {
      clock.reset();
      return new Date(clock.now());
    },
    keys: () => store.state.keys.all().keys.map(summary),
    rotate: async (name) => {
      const all = name === undefined ? store.state.keys.all().keys : [store.state.keys.cryptoKey(name)];
      const keys = name === undefined ? all.filter(({ primary }) => primary !== undefined) : all;
      for (const key of keys) {
        requirePurpose(key, 'ENCRYPT_DECRYPT');
        const { number } = createVersion(key, clock.now(), source, 0);
        setPrimary(key, number, clock.now(), delaysOf({ conditions }).primary);
      }
      store.state.keys.touch();
      await store.save();
      return keys.map(summary);
    },
    injectFault: (fault) => conditions.faults.inject(fault, clock.now()),
    faults: () => conditions.faults.list(clock.now()),
    clearFaults: () => conditions.faults.clear(),
    setQuotas: (limits) => {
      conditions.quotas.set(limits);
      return limits;
    },
    quotas: () => conditions.quotas.limits,
    reset: () => conditions.reset(),
    ...delayControls(conditions),
    policy: (resource) => store.state.policies.get(checkPolicyResource(resource)),
    setPolicy: async (resource, bindings) => {
      const delay = conditions.propagation.iam * 1000;
      const { auditConfigs } = store.state.policies.get(checkPolicyResource(resource));
      const policy = store.state.policies.set(
        resource,
        { bindings, ...(auditConfigs && { auditConfigs }) },
        clock.now(),
        delay,
      );
      await store.save();
      return policy;
    },
    setVersionState: async (name, state, reason) => {
      const { key, version } = store.state.keys.version(name);
      forceState(version, state, clock.now(), key.destroyScheduledDuration, reason);
      store.state.keys.touch();
      await store.save();
    },
  };
}

function summary({
  name,
  purpose,
  primary,
  rotationPeriod,
  nextRotationTime,
  versions,
}: CryptoKey): KeySummary {
  const states = Object.groupBy(versions, ({ state }) => state);
  return {
    name,
    purpose,
    ...(primary && { primary: versionName(name, primary.number) }),
    ...(rotationPeriod !== undefined && { rotationPeriodSeconds: rotationPeriod / 1000 }),
    ...(nextRotationTime !== undefined && { nextRotationTime: new Date(nextRotationTime).toISOString() }),
    versions: Object.fromEntries(Object.entries(states).map(([state, all]) => [state, all.length])),
  };
}

function delayControls(conditions: Conditions) {
  return {
    latency: () => conditions.latency,
    setLatency: (latency: Partial<Latency>) => (conditions.latency = { ...conditions.latency, ...latency }),
    propagation: () => conditions.propagation,
    setPropagation: (propagation: Partial<Propagation>) =>
      (conditions.propagation = { ...conditions.propagation, ...propagation }),
  };
}

function checkPolicyResource(resource: string): string {
  if (/^projects\/[^/]+$/.test(resource)) return resource;
  if (tryKeyRing(resource) !== undefined || tryCryptoKey(resource) !== undefined) return resource;
  throw new KmsError('INVALID_ARGUMENT', `${resource} is not a project, key ring or crypto key.`);
}
