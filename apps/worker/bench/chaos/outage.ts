import type { Fleet } from './fleet.ts';

/** The ways in which Cloud KMS is away: it does not answer, it answers UNAVAILABLE, or each call takes 2 s. */
export const troubles = ['hang', 'error', 'slow'] as const;
type Trouble = (typeof troubles)[number];

const SLOW_MS = 2_000;

/** Completions per second before, during each trouble, and after. The troubles follow one another without a gap. */
export type Throughput = Readonly<Record<'before' | Trouble | 'after', number>>;

/** @param ms of each trouble; the load runs for as long before and after */
export async function outage(fleet: Fleet, ms: number): Promise<Throughput> {
  const { emulator } = fleet;
  const before = await fleet.run(ms);
  emulator.injectFault({ effect: { kind: 'hang' } });
  const hang = await fleet.run(ms);
  emulator.clearFaults();
  emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
  const error = await fleet.run(ms);
  emulator.setLatency({ all: SLOW_MS, methods: {} });
  emulator.clearFaults();
  const slow = await fleet.run(ms);
  emulator.setLatency({ all: 0, methods: {} });
  return { before, hang, error, slow, after: await fleet.run(ms) };
}
