import { setTimeout as sleep } from 'node:timers/promises';
import type { Emulator } from '@temporal-kms/kms-emulator';
import type { Network } from '@temporal-kms/testing/network';
import { type Fleet, KEY } from '../fleet.ts';
import type { FleetWorker } from '../fleet-worker.ts';
import { machineTime, roles } from '../settings.ts';
import type { FaultKind, PlannedFault } from './plan.ts';
import type { Disruption } from './repeats.ts';
import type { RandomStore } from './store.ts';

/** The parts that faults affect. */
export interface Targets {
  /** Cloud KMS, and the network in front of it. */
  readonly emulator: Emulator;
  readonly network: Network;
  readonly store: RandomStore;
  readonly temporal: { kill(): Promise<void>; start(): Promise<void> };
  /** The fleet with the codec, and the control fleet. Process faults affect both fleets at the same time. */
  readonly fleets: readonly Fleet[];
  readonly disruptions: Disruption[];
  /** Grants and removes the role of the fleet's identity. */
  readonly permit: (isPermitted: boolean) => Promise<void>;
}

type Run = (targets: Targets, fault: PlannedFault) => Promise<void>;

const SLOW_MS = 2_000;
/**
 * Minimum length in milliseconds of each refusal of the fault `denied twice`, even if the plan gives the fault less
 * time. In this time, every process must notice the refusal.
 */
const NOTICED_MS = 8_000;
const LONGEST_ABSENCE_MS = 8_000;
/** Clocks are moved by 10 s to 28 h. Each order of magnitude has the same probability. */
const LEAST_JUMP_MS = 10_000;
const JUMP_FACTOR = 10_000;
const STARTED_MS = 60_000;

/** Returns a fault with a duration: `begin` causes a condition, and `end` removes the condition. */
const during =
  (begin: (targets: Targets) => unknown, end: (targets: Targets) => unknown): Run =>
  async (targets, { lengthMs }) => {
    await begin(targets);
    await sleep(lengthMs);
    await end(targets);
  };

const primary = ({ emulator }: Targets): string =>
  emulator.keys().find(({ name }) => name === KEY)?.primary ?? '';

/** Returns a fault in which Cloud KMS refuses the primary version, because the version is in the given state. */
const inState =
  (state: 'DISABLED' | 'DESTROY_SCHEDULED'): Run =>
  async (targets, { lengthMs }) => {
    const version = primary(targets);
    await targets.emulator.setVersionState(version, state);
    await sleep(lengthMs);
    await targets.emulator.setVersionState(version, 'ENABLED');
  };

const corrupted: Run = async ({ emulator }, { lengthMs, choices: [choice] }) => {
  const kind = choice < 0.5 ? 'corrupt_response' : 'drop_checksums';
  emulator.injectFault({ effect: { kind } });
  await sleep(lengthMs);
  emulator.clearFaults();
};

const denyTwice: Run = async ({ permit }, { lengthMs }) => {
  for (const isLast of [false, true]) {
    await permit(false);
    await sleep(Math.max(NOTICED_MS, lengthMs / 2));
    await permit(true);
    if (!isLast) await sleep(lengthMs / 2);
  }
};

const stop: Run = async (targets, { lengthMs, choices }) => {
  const pids = chosen(targets, choices).map(({ pid }) => pid);
  const end = disrupt(targets, pids);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await sleep(lengthMs);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  end();
};

const kill: Run = async (targets, { lengthMs, choices }) => {
  const victims = chosen(targets, choices);
  const end = disrupt(
    targets,
    victims.map(({ pid }) => pid),
  );
  await Promise.all(victims.map((worker) => worker.kill()));
  end();
  await sleep(Math.min(lengthMs, LONGEST_ABSENCE_MS));
  const replacements = targets.fleets.flatMap((fleet, index) => {
    const role = victims[index]?.role;
    return role ? [fleet.add(role)] : [];
  });
  const limit = performance.now() + STARTED_MS;
  // Does not wait until the processes are ready, because Cloud KMS may be unavailable.
  while (!(await allAnswer(replacements)) && performance.now() < limit) await sleep(100);
};

const jump: Run = async (targets, { lengthMs, choices }) => {
  const [size, which] = choices;
  const ms = Math.round(LEAST_JUMP_MS * JUMP_FACTOR ** size) * (which < 0.5 ? -1 : 1);
  // Half of the clocks are corrected; the others remain wrong.
  const isCorrected = (which * 4) % 2 < 1;
  const workers = chosen(targets, [which, size]);
  await Promise.all(workers.map((worker) => worker.advance(ms)));
  await sleep(lengthMs);
  const running = workers.filter((worker) => worker.isRunning());
  if (isCorrected) await Promise.all(running.map((worker) => worker.advance(-ms)));
};

const restart: Run = async (targets, { lengthMs }) => {
  const end = disrupt(targets, 'all');
  await targets.temporal.kill();
  await sleep(Math.min(lengthMs, LONGEST_ABSENCE_MS));
  await targets.temporal.start();
  end();
};

/** For each kind of fault, a function that causes the fault and resolves when it has ended. */
export const runFault: Readonly<Record<FaultKind, Run>> = {
  'refused connections': during(
    ({ network }) => network.refuse(),
    ({ network }) => network.accept(),
  ),
  'black hole': during(
    ({ network }) => network.silence(),
    ({ network }) => network.speak(),
  ),
  slow: during(
    ({ emulator }) => emulator.setLatency({ all: SLOW_MS }),
    ({ emulator }) => emulator.setLatency({ all: 0 }),
  ),
  quota: during(
    ({ emulator }) => emulator.setQuotas({ software: 0 }),
    ({ emulator }) => emulator.setQuotas({}),
  ),
  'corrupted checksums': corrupted,
  'denied twice': denyTwice,
  disabled: inState('DISABLED'),
  destroyed: inState('DESTROY_SCHEDULED'),
  rotated: async ({ emulator }) => void (await emulator.rotate(KEY)),
  'store deleted': ({ store }) => store.delete(),
  'store rolled back': ({ store }) => store.restore(),
  'full disk': during(
    ({ store }) => store.disk?.fill(),
    ({ store }) => store.disk?.free(),
  ),
  SIGSTOP: stop,
  SIGKILL: kill,
  'clock jump': jump,
  'Temporal restarted': restart,
};

/**
 * Chooses one process of each fleet. The processes have the same role and the same position in their fleets.
 */
function chosen({ fleets }: Targets, [ofRole, ofPlace]: readonly [number, number]): FleetWorker[] {
  const role = roles[Math.floor(ofRole * roles.length)];
  return fleets.map(({ workers }) => {
    const running = workers.filter((worker) => worker.role === role && worker.isRunning());
    const worker = running[Math.floor(ofPlace * running.length)];
    if (!worker) throw new Error(`No process for ${role} is running`);
    return worker;
  });
}

async function allAnswer(workers: readonly FleetWorker[]): Promise<boolean> {
  const answers = await Promise.all(workers.map((worker) => worker.readyz()));
  return answers.every((answer) => answer !== undefined);
}

/** Records a disruption that begins now. @returns a function that records its end */
function disrupt({ disruptions }: Targets, pids: Disruption['pids']): () => void {
  const disruption: Disruption = { from: machineTime(), to: Number.POSITIVE_INFINITY, pids };
  disruptions.push(disruption);
  return () => {
    disruption.to = machineTime();
  };
}
