import { escapeInvisible } from '@temporal-kms/codec-api';
import { Lock, ShieldCheck } from 'lucide-react';
import { useEffect } from 'react';
import { LockButton } from '../../payloads/reveal/lock-button.tsx';
import { askToReveal } from '../../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { accessToNamespace } from '../../payloads/reveal/reveals.ts';
import { grantOf } from '../../payloads/reveal/when-hidden.ts';
import { Button } from '../../ui/controls/button.tsx';
import { StopButton } from '../../ui/controls/stop-button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { useStore } from 'zustand';
import { useRequested } from '../requested.ts';
import { type Comparison, type Comparisons, isPartial, isReading } from './comparison.ts';
import styles from './differs.module.css';
import { useObstacle } from './obstacle.ts';
import { Outcome } from './outcome.tsx';
import type { Queries } from './presets.ts';
import { runsInBoth } from './read-set.ts';

interface ComparisonResultProps {
  readonly namespace: string;
  /** The queries of the sets as the user wrote them. */
  readonly texts: Queries;
  /** The same queries without relative times. */
  readonly queries: Queries;
  readonly comparisons: Comparisons;
}

/** Compares two sets on request, and shows their differences. */
export function ComparisonResult({ namespace, texts, queries, comparisons }: ComparisonResultProps) {
  const { comparison: last } = useStore(comparisons.store);
  const reveals = useReveals();
  const access = useRevealed((state) => accessToNamespace(state, namespace).status);
  const obstacle = useObstacle(namespace, queries);
  const isCurrent = last?.namespace === namespace && last.queries.every((query, n) => query === queries[n]);
  const comparison = isCurrent ? last : undefined;
  const until = useRevealed((state) => comparison && grantOf(state, comparison)?.until);
  // Stops the comparison when the queries change, and when the user leaves the page.
  useEffect(() => (isCurrent ? () => comparisons.stop() : undefined), [isCurrent, comparisons]);

  useRequested(() => {
    const now = accessToNamespace(reveals.store.getState(), namespace);
    // Following a link must not reveal anything or reuse a justification: both need a click on this page.
    if (!comparison && !obstacle && now.status === 'open' && !now.grant) compare();
  });

  /**
   * Compares the sets, including their inputs if the person may read them. First asks for a reveal, if a
   * reveal is needed.
   */
  function compare() {
    const now = accessToNamespace(reveals.store.getState(), namespace);
    if (now.status === 'refused') comparisons.start({ namespace, queries, decoded: false });
    else if (now.status === 'open') comparisons.start({ namespace, queries, decoded: true });
    else {
      const name = `all runs of ${escapeInvisible(namespace)}`;
      const target = { kind: 'namespace', namespace } as const;
      askToReveal(reveals, { choices: [{ target, text: name, name }], onRevealed: compare });
    }
  }

  return (
    <>
      <div className={styles['bar']}>
        {comparison && isReading(comparison) ? (
          <StopButton onClick={() => comparisons.stop()} />
        ) : (
          <Button
            look={access === 'refused' ? 'primary' : 'crypto'}
            disabled={obstacle !== undefined}
            onClick={compare}
          >
            {comparison ? 'Compare again' : 'Compare'}
          </Button>
        )}
        {access === 'locked' && !comparison ? (
          <Button
            look="ghost"
            disabled={obstacle !== undefined}
            onClick={() => comparisons.start({ namespace, queries, decoded: false })}
          >
            Compare without payloads
          </Button>
        ) : null}
        {comparison ? <Progress comparison={comparison} /> : null}
        {comparison?.decoded ? (
          <span className={styles['lock']}>
            <LockButton look="ghost" size="small" text="Hidden in" until={until} namespace={namespace} />
          </span>
        ) : null}
      </div>
      {obstacle ? <p className={styles['note']}>{obstacle}</p> : null}
      {access === 'refused' ? (
        <p className={styles['note']}>
          <Lock size={12} aria-hidden="true" />
          You may not decrypt payloads of {escapeInvisible(namespace)}, so only fields that need no decryption
          are compared. Ask the operator of the codec server for the permission <code>decode</code>.
        </p>
      ) : (
        <p className={styles['note']}>
          <ShieldCheck size={12} aria-hidden="true" />
          The server decrypts the input and memo of each compared run, with an audit entry for the run.
        </p>
      )}
      {comparison ? <Outcome comparison={comparison} texts={texts} comparisons={comparisons} /> : null}
    </>
  );
}

/** Shows how many runs have been read, and how many could not be read. */
function Progress({ comparison }: { comparison: Comparison }) {
  const { sets, decoded, result, failure } = comparison;
  const [a, b] = sets;
  const inBoth = runsInBoth(sets);
  const failed = a.failed + b.failed;
  const unreadable = a.unreadable + b.unreadable;
  return (
    <span className={styles['progress']} role="status">
      <span>
        A: {plural(a.runs.size, 'run')} read · B: {formatCount(b.runs.size)}
      </span>
      {inBoth > 0 ? <span className={styles['left']}>{plural(inBoth, 'run')} in both sets</span> : null}
      {decoded ? <span className="t3">{plural(a.kmsCalls + b.kmsCalls, 'Cloud KMS call')}</span> : null}
      {failed > 0 ? <span className={styles['left']}>{plural(failed, 'run')} could not be read</span> : null}
      {unreadable > 0 ? (
        <span className={styles['left']}>{plural(unreadable, 'payload')} could not be read</span>
      ) : null}
      {isReading(comparison) || isPartial(comparison) || result || failure ? null : <span>Comparing…</span>}
    </span>
  );
}
