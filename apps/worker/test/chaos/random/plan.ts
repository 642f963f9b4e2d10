import { Random } from '@temporal-kms/testing/random';

/** Every kind of fault, and its group. Only faults of different groups overlap. */
export const faultGroups = {
  'refused connections': 'network',
  'black hole': 'network',
  slow: 'answers',
  quota: 'answers',
  'corrupted checksums': 'answers',
  'denied twice': 'rights',
  disabled: 'rights',
  destroyed: 'rights',
  rotated: 'rights',
  'store deleted': 'store',
  'store rolled back': 'store',
  'full disk': 'store',
  SIGSTOP: 'processes',
  SIGKILL: 'processes',
  'clock jump': 'processes',
  'Temporal restarted': 'temporal',
} as const satisfies Readonly<Record<string, string>>;
export type FaultKind = keyof typeof faultGroups;
export const faultKinds = Object.keys(faultGroups).filter((kind): kind is FaultKind => kind in faultGroups);

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Milliseconds from the beginning of the plan to the beginning of this fault. */
  readonly atMs: number;
  readonly lengthMs: number;
  /** Two numbers, at least 0 and below 1, that determine the fault's choices, such as a process or a time. */
  readonly choices: readonly [number, number];
}

/**
 * Minimum and maximum length of a fault, as a share of the time between two faults. Most faults are short.
 */
const SHORTEST = 0.2;
const LONGEST = 1.5;

/**
 * Returns the faults of a run, which are always the same for the same arguments. The number of faults is
 * divided as evenly as possible among the kinds, in a random order.
 */
export function planFaults(
  seed: number,
  count: number,
  durationMs: number,
  kinds: readonly FaultKind[] = faultKinds,
): PlannedFault[] {
  const random = new Random(seed);
  const slotMs = durationMs / count;
  let rest: FaultKind[] = [];
  return Array.from({ length: count }, (_, number) => {
    if (rest.length === 0) rest = [...kinds];
    const [kind] = rest.splice(random.below(rest.length), 1);
    if (kind === undefined) throw new RangeError('There are no kinds of faults');
    return {
      kind,
      atMs: Math.round((number + random.next() / 4) * slotMs),
      lengthMs: Math.round(slotMs * (SHORTEST + (LONGEST - SHORTEST) * random.next() ** 2)),
      choices: [random.next(), random.next()],
    };
  });
}
