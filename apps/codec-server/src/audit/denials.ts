import { hash } from 'node:crypto';
import { MinuteCounts } from '../minute-counts.ts';
import { type Audit, type Denied, type Intent, shortened } from './audit.ts';

/** Kinds of refusals of one caller, and of all callers, that are distinguished in a minute. */
const MAX_OF_CALLER = 16;
const MAX_KINDS = 1_024;

/** Stands for the callers who come after the first of a minute. */
const OTHERS: Intent['caller'] = { name: 'others' };

interface Denial {
  readonly intent: Intent;
  readonly why: Denied;
}

/** A denial with the kind that it counts as, and how many of the kind have a line each in a minute. */
interface Sorted extends Denial {
  readonly kind: string;
  readonly most: 0 | 1;
}

export interface CountedAudit extends Audit {
  /** Writes what was counted until now. */
  flush(): Promise<void>;
}

/**
 * An audit that a caller without rights cannot fill: it writes the first refusal of a caller, operation, namespace and
 * reason at once, counts those that follow within the minute, and writes their number when the minute ends. A caller
 * who names ever more namespaces, and callers beyond the bound, share a line for what exceeds it. What cannot be
 * written is counted again.
 */
export function countDenials(audit: Audit): CountedAudit {
  const kindsOf = new Map<string, number>();
  let writing = Promise.resolve();
  const counts = new MinuteCounts<Denial>({
    kinds: MAX_KINDS,
    ended: (repeated) => {
      kindsOf.clear();
      for (const { first, since, count } of repeated) {
        // One after the other: the queue of lines is bounded.
        writing = writing.then(() =>
          audit
            .denied(first.intent, first.why, { since, count })
            .catch(() => counts.count(sorted(first).kind, first, count)),
        );
      }
    },
  });

  const sorted = ({ intent, why }: Denial): Sorted => {
    const { caller, operation, namespace } = intent;
    const who = digest(caller.issuer, caller.subject, caller.name);
    const own = digest(who, operation, why, namespace);
    if (counts.has(own)) return { intent, why, kind: own, most: 1 };
    if (!counts.hasRoom) {
      const of = { operation, caller: OTHERS, peer: undefined, namespace: undefined };
      return { intent: of, why, kind: `others ${operation} ${why}`, most: 0 };
    }
    const kinds = kindsOf.get(who) ?? 0;
    if (kinds >= MAX_OF_CALLER) {
      return {
        intent: { ...intent, namespace: undefined },
        why,
        kind: `any ${who} ${operation} ${why}`,
        most: 0,
      };
    }
    kindsOf.set(who, kinds + 1);
    return { intent, why, kind: own, most: 1 };
  };

  return {
    ...audit,
    flush: () => {
      counts.flush();
      return writing;
    },
    denied: async (intent, why) => {
      const { kind, most, ...counted } = sorted({ intent, why });
      const denial = { why, intent: shortened(counted.intent) };
      if (!counts.pass(kind, denial, most)) return;
      try {
        await audit.denied(intent, why);
      } catch (error) {
        counts.count(kind, denial, 1);
        throw error;
      }
    },
  };
}

const digest = (...parts: readonly (string | undefined)[]): string =>
  hash('sha256', JSON.stringify(parts), 'base64');
