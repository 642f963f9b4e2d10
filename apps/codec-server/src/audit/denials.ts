import { hash } from 'node:crypto';
import { MinuteAggregator } from '../observability/log.ts';
import { type Audit, type Denied, type Intent, shortened } from './audit.ts';

/** Kinds of denials that are distinguished in a minute, for one caller and for all callers. */
const MAX_OF_CALLER = 16;
const MAX_KINDS = 1_024;

/** The caller of an entry that counts the denials of all callers above the limit. */
const OTHERS: Intent['caller'] = { name: 'others' };

interface Denial {
  readonly intent: Intent;
  readonly why: Denied;
}

/** A denial with the kind that it is counted as, and how many of that kind have an entry each in a minute. */
interface ClassifiedDenial extends Denial {
  readonly kind: string;
  readonly limit: 0 | 1;
}

export interface CountedAudit extends Audit {
  /** Writes what was counted until now. */
  flush(): Promise<void>;
}

/**
 * Returns an audit that a caller without permissions cannot fill. It writes the first denial of a caller, operation,
 * namespace and cause at once, counts further denials in the same minute, and writes their number when the minute ends. A
 * caller who tries many namespaces, and callers above the limit, share one entry for the excess. Counts that could not
 * be written are kept for the next minute.
 */
export function countDenials(audit: Audit): CountedAudit {
  const kindsOf = new Map<string, number>();
  let writing = Promise.resolve();
  const counts = new MinuteAggregator<Denial>({
    kinds: MAX_KINDS,
    flushed: (suppressed) => {
      kindsOf.clear();
      for (const { first, since, count } of suppressed) {
        // One after the other, because the queue of lines is bounded.
        writing = writing.then(() =>
          audit
            .denied(first.intent, first.why, { since, count })
            .catch(() => counts.count(classify(first).kind, first, count)),
        );
      }
    },
  });

  const classify = ({ intent, why }: Denial): ClassifiedDenial => {
    const { caller, operation, namespace } = intent;
    const who = digest(caller.issuer, caller.subject, caller.name);
    const own = digest(who, operation, why, namespace);
    if (counts.has(own)) return { intent, why, kind: own, limit: 1 };
    if (!counts.hasRoom) {
      const ofOthers = { operation, caller: OTHERS, peer: undefined, namespace: undefined };
      return { intent: ofOthers, why, kind: `others ${operation} ${why}`, limit: 0 };
    }
    const kinds = kindsOf.get(who) ?? 0;
    if (kinds >= MAX_OF_CALLER) {
      const anywhere = { ...intent, namespace: undefined };
      return { intent: anywhere, why, kind: `any ${who} ${operation} ${why}`, limit: 0 };
    }
    kindsOf.set(who, kinds + 1);
    return { intent, why, kind: own, limit: 1 };
  };

  return {
    ...audit,
    flush: () => {
      counts.flush();
      return writing;
    },
    denied: async (intent, why) => {
      const { kind, limit, ...counted } = classify({ intent, why });
      const denial = { why, intent: shortened(counted.intent) };
      if (!counts.pass(kind, denial, limit)) return;
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
