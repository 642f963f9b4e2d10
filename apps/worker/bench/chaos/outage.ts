import type { Fleet, Load } from './fleet.ts';

/** The ways in which Cloud KMS is away: it does not answer, it answers UNAVAILABLE, or each call takes 2 s. */
export const troubles = ['hang', 'error', 'slow'] as const;
type Trouble = (typeof troubles)[number];

const SLOW_MS = 2_000;

/** Completions per second before, during each trouble, and after. The troubles follow one another without a gap. */
export type Throughput = Readonly<Record<'before' | Trouble | 'after', number>>;

/** @param ms of each trouble; the load runs for as long before and after */
export async function outage({ emulator }: Fleet, load: Load, ms: number): Promise<Throughput> {
  const rate = async (): Promise<number> => ((await load.run(ms)) * 1_000) / ms;
  const before = await rate();
  emulator.injectFault({ effect: { kind: 'hang' } });
  const hang = await rate();
  emulator.clearFaults();
  emulator.injectFault({ effect: { kind: 'error', status: 'UNAVAILABLE' } });
  const error = await rate();
  emulator.setLatency({ all: SLOW_MS, methods: {} });
  emulator.clearFaults();
  const slow = await rate();
  emulator.setLatency({ all: 0, methods: {} });
  return { before, hang, error, slow, after: await rate() };
}
