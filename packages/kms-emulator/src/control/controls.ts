import type { CallLog } from '../conditions/call-log.ts';
import type { Conditions, Latency, Propagation } from '../conditions/conditions.ts';
import type { Fault, FaultState } from '../conditions/faults.ts';
import type { QuotaLimits } from '../conditions/quotas.ts';
import type { MovableClock } from '../model/clock.ts';
import { KmsError } from '../model/errors.ts';
import type { Binding, Policy } from '../model/iam/policies.ts';
import { forceState, type VersionState } from '../model/key-version.ts';
import { tryCryptoKey, tryKeyRing } from '../model/names.ts';
import { delaysOf } from '../service/context.ts';
import type { DispatchDeps } from '../service/dispatch.ts';

/** What a test may do to a running emulator; the control API is the same over HTTP. */
export interface Controls {
  readonly calls: Pick<CallLog, 'count' | 'rows' | 'inFlight' | 'reset'>;
  now(): Date;
  /** Moves the clock and does at once what is then due: rotation, generation, destruction. */
  advance(seconds: number): Promise<Date>;
  setTime(time: Date): Promise<Date>;
  /** Back to the real time. What has happened to keys stays. */
  resetTime(): Date;
  injectFault(fault: Fault): FaultState;
  faults(): FaultState[];
  clearFaults(): void;
  /** Milliseconds for every method, and for single ones. */
  setLatency(latency: Partial<Latency>): Latency;
  latency(): Latency;
  /** Seconds. */
  setPropagation(propagation: Partial<Propagation>): Propagation;
  propagation(): Propagation;
  /** Calls a minute; replaces all limits. */
  setQuotas(limits: QuotaLimits): QuotaLimits;
  quotas(): QuotaLimits;
  /** The policy of a project (`projects/p`), key ring or crypto key. */
  policy(resource: string): Policy;
  /** Replaces a policy without asking anyone's permission. */
  setPolicy(resource: string, bindings: readonly Binding[]): Promise<Policy>;
  /** Puts a version into any state, also those that no RPC of the emulator leads to. */
  setVersionState(name: string, state: VersionState, reason?: string): Promise<void>;
  /** No faults, latency, delays, quotas or counts any more. Keys, policies and clock stay. */
  reset(): void;
}

/** Makes the controls of an emulator; `clock` must be the one in `deps`. */
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
    injectFault: (fault) => conditions.faults.inject(fault, clock.now()),
    faults: () => conditions.faults.list(clock.now()),
    clearFaults: () => conditions.faults.clear(),
    setQuotas: (limits) => {
      conditions.quotas.set(limits);
      return limits;
    },
    quotas: () => conditions.quotas.limits,
    reset: () => conditions.reset(),
    ...worldControls(conditions),
    policy: (resource) => store.state.policies.get(checkPolicyResource(resource)),
    setPolicy: async (resource, bindings) => {
      const delay = conditions.propagation.iam * 1000;
      const policy = store.state.policies.set(
        checkPolicyResource(resource),
        { bindings },
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

function worldControls(conditions: Conditions) {
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
  throw new KmsError('INVALID_ARGUMENT', `${resource} is no project, key ring or crypto key.`);
}
