import { Random } from '@temporal-kms/testing/random';

/** Every kind of fault, and what it concerns. Faults of one group follow one another; others may overlap. */
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

/** A fault of a run. */
export interface PlannedFault {
  readonly kind: FaultKind;
  /** Milliseconds from the beginning of the faults until it begins. */
  readonly atMs: number;
  readonly lengthMs: number;
  /** Two numbers from 0 up to, and not including, 1, for what a kind chooses: a process, a time. */
  readonly choices: readonly [number, number];
}

/** The shortest and the longest fault, as shares of the time between two. Most are short. */
const SHORTEST = 0.2;
const LONGEST = 1.5;

/**
 * Returns the faults of a run: the same for the same arguments. Their number is divided as evenly as possible among the kinds,
 * in a random order.
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
