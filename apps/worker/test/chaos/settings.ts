import { z } from 'zod';
import {
  CloudKms,
  type DataKeyLimits,
  KmsCodec,
  kmsEnvironment,
  type Observer,
} from '@temporal-kms/kms-codec';

export const NAMESPACE = 'default';

/** The roles of worker processes. Scenarios' logs contain these names. */
export const roles = ['workflows', 'activities'] as const;
export type Role = (typeof roles)[number];

/** A worker's codec: ours or, for comparisons, the SDK's sample, the cipher alone, or none. */
export const fleetCodec = z.enum(['kms', 'sample', 'cipher', 'none']);
export type FleetCodec = z.infer<typeof fleetCodec>;

/** Environment variables of a worker process of the fleet, in addition to the codec's variables. */
export interface WorkerSettings {
  readonly TEMPORAL_ADDRESS: string;
  readonly FLEET_TASK_QUEUE: string;
  /** Path of the bundle with the workflows. */
  readonly FLEET_BUNDLE: string;
  /** Milliseconds after which encryption keys are replaced. Default: an hour, as in production. */
  readonly FLEET_KEY_LIFETIME_MS?: string | undefined;
  readonly FLEET_CODEC: FleetCodec;
  /**
   * The clock that `/advance` moves. `codec` (default): only the codec's clock, so that time passes for keys.
   * `process`: the time of day of the whole process, as if the machine's clock were set.
   */
  readonly FLEET_CLOCK?: FleetClock;
}

/** See {@link WorkerSettings.FLEET_CLOCK}. */
export const fleetClock = z.enum(['codec', 'process']);
type FleetClock = z.infer<typeof fleetClock>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** The response of a worker process's `/readyz`, as in production. */
export const readiness = z.object({
  status: z.enum(['ready', 'degraded', 'not_ready']),
  phase: z.string(),
  restarts: z.number(),
  trouble: z.string().optional(),
  polling: z.boolean().optional(),
  secondsSincePoll: z.number().optional(),
  autonomySeconds: z.number().nullable(),
  kmsFailure: z.string().optional(),
});
export type Readiness = z.infer<typeof readiness> & { readonly http: number };

/** How many encode and decode calls have failed, and the most recent reason. */
export const failures = z.object({ count: z.number(), code: z.string().optional() });
export type Failures = Readonly<z.infer<typeof failures>>;

/** `process.memoryUsage()` after a garbage collection. */
export const memory = z.object({ rss: z.number(), heapUsed: z.number(), external: z.number() });
export type Memory = z.infer<typeof memory>;

/** A clock that a scenario moves instead of waiting for hours. */
export class MovableClock {
  #aheadMs = 0;

  readonly now = (): number => Date.now() + this.#aheadMs;

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}

/**
 * Returns the time in milliseconds of a clock that all processes of a machine share, and that no process can set.
 */
export const machineTime = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/**
 * Moves this process's time of day, that is, `Date` in all JavaScript code. Does not affect
 * `performance.now()`, timers, or the native Core of Temporal's SDK.
 */
export function moveTimeOfDay(ms: number): void {
  const before = Date;
  const moved = (): number => before.now() + ms;
  globalThis.Date = new Proxy(before, {
    construct: (target, args, newTarget): Date =>
      Reflect.construct(target, args.length === 0 ? [moved()] : args, newTarget),
    get: (target, name, receiver): unknown => (name === 'now' ? moved : Reflect.get(target, name, receiver)),
  });
}

/**
 * Creates the codec of a worker process or of the client.
 * @param clock by default, the clocks of the process
 */
export function createFleetCodec(env: Environment, clock?: MovableClock, observer?: Observer): KmsCodec {
  const { rules, emulatorHost, openBranchKeyStore } = kmsEnvironment.parse(env);
  const keyService = new CloudKms({ emulatorHost, ...(observer && { observer }) });
  return new KmsCodec({
    rules,
    keyService,
    branchKeyStore: openBranchKeyStore?.(),
    namespace: NAMESPACE,
    limits: keyLimits(env['FLEET_KEY_LIFETIME_MS']),
    now: clock?.now,
    ...(observer && { observer }),
  });
}

/**
 * Returns the limits for keys with this lifetime. A response from Cloud KMS must stay valid for longer than
 * the slowest response takes.
 */
function keyLimits(lifetime: string | undefined): Partial<DataKeyLimits> {
  if (lifetime === undefined) return {};
  const ms = Number(lifetime);
  return { softAgeMs: ms, revalidateMs: confirmedMs(ms) };
}

/**
 * Returns how long a response from Cloud KMS stays valid for keys with this lifetime. Both times are in
 * milliseconds.
 */
export const confirmedMs = (lifetimeMs: number): number => lifetimeMs / 6;
