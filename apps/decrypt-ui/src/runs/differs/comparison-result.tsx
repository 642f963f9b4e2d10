import { escapeInvisible } from '@temporal-kms/codec-api';
import type { WhatDiffers } from '@temporal-kms/histories/why';
import { CircleAlert, Lock, ShieldCheck } from 'lucide-react';
import { useEffect } from 'react';
import { LockButton, useLock } from '../../payloads/reveal/lock-button.tsx';
import { askToReveal } from '../../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { accessToNamespace } from '../../payloads/reveal/reveals.ts';
import { grantOf } from '../../payloads/reveal/when-hidden.ts';
import { Button } from '../../ui/controls/button.tsx';
import { StopButton } from '../../ui/controls/stop-button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import { EmptyState, Notice } from '../../ui/page/notice.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useStore } from 'zustand';
import { useRequested } from '../requested.ts';
import { type Comparison, type Comparisons, isPartial, isReading } from './comparison.ts';
import { DifferencesTable } from './differences-table.tsx';
import styles from './differs.module.css';
import { useObstacle } from './obstacle.ts';
import type { Queries } from './presets.ts';
import { comparedRuns, fieldsOf, runsInBoth, spanOf } from './read-set.ts';

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
  const lock = useLock(namespace, comparison?.decoded === true);

  useRequested(() => {
    const now = accessToNamespace(reveals.store.getState(), namespace);
    // The link must not reveal anything or reuse a justification. Both actions need a click on this page.
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
            <LockButton look="ghost" size="small" text="Hidden in" until={until} onClick={lock} />
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

interface OutcomeProps extends Pick<ComparisonResultProps, 'texts' | 'comparisons'> {
  readonly comparison: Comparison;
}

function Outcome({ comparison, texts, comparisons }: OutcomeProps) {
  const { sets, result, decoded } = comparison;
  const unread = sets.find(({ status }) => status === 'failed')?.failure;
  const failure = unread ?? comparison.failure;
  const hasStopped = isPartial(comparison);
  const nothing = result?.differences.length === 0;
  return (
    <>
      {failure ? (
        <div className={styles['notice']}>
          <Notice
            severity="error"
            icon={<CircleAlert size={14} />}
            title={unread ? 'Not all runs could be read' : 'The sets could not be compared'}
            action={<Button onClick={() => comparisons.resume()}>Try again</Button>}
          >
            {failure.message}
          </Notice>
        </div>
      ) : null}
      {hasStopped ? (
        <p className={styles['note']}>
          Stopped before all runs were read.
          <Button size="small" onClick={() => comparisons.resume()}>
            Continue
          </Button>
        </p>
      ) : null}
      {result ? <Times sets={sets} /> : null}
      {result && nothing && !failure && !(hasStopped && result.comparisons === 0) ? (
        <Nothing isSame={!hasStopped && hasSameRuns(sets)} decoded={decoded} result={result} />
      ) : null}
      {result && !nothing ? (
        <DifferencesTable
          namespace={comparison.namespace}
          result={result}
          texts={texts}
          runs={fieldsOf(comparedRuns(sets).flat())}
        />
      ) : null}
      {result && !decoded ? <p className={styles['note']}>Inputs and memos were not compared.</p> : null}
    </>
  );
}

/** Shows when the compared runs of each set started. */
function Times({ sets }: Pick<Comparison, 'sets'>) {
  const format = useTimeFormat();
  const [ofA, ofB] = comparedRuns(sets).map((runs) => spanText(spanOf(runs), format));
  if (ofA === undefined || ofB === undefined) return null;
  const [a, b] = sets;
  const matched = a.again ? (['A', 'B'] as const) : b.again ? (['B', 'A'] as const) : undefined;
  return (
    <p className={styles['note']}>
      Started: A {ofA} · B {ofB}.
      {matched
        ? ` ${matched[0]} has more runs: the page chose runs from the times of ${matched[1]}’s runs, so the hour of the start is not compared.`
        : null}
    </p>
  );
}

function spanText(span: ReturnType<typeof spanOf>, format: TimeFormat): string | undefined {
  if (span === undefined) return undefined;
  const [first, last] = span.map((at) => formatMoment(at, format));
  return first === last ? first : `${first} to ${last}`;
}

const hasSameRuns = (sets: Comparison['sets']): boolean =>
  sets.every(({ runs }) => runs.size > 0 && runs.size === runsInBoth(sets));

interface NothingProps {
  /** Whether the sets contain the same runs. */
  readonly isSame: boolean;
  readonly decoded: boolean;
  readonly result: WhatDiffers;
}

function Nothing({ isSame, decoded, result: { comparisons, sizes } }: NothingProps) {
  if (isSame)
    return (
      <EmptyState icon={<CircleAlert size={16} />} title="The compared runs of A and B are the same">
        Change one query.
      </EmptyState>
    );
  return comparisons === 0 ? (
    <EmptyState icon={<CircleAlert size={16} />} title="Too few runs to tell chance from cause">
      The sets have {formatCount(sizes[0])} and {plural(sizes[1], 'run')}. Choose larger sets.
    </EmptyState>
  ) : (
    <EmptyState
      icon={<ShieldCheck size={16} />}
      title={`No significant difference (${plural(comparisons, 'comparison')})`}
    >
      No field of the {decoded ? 'input, memo or metadata' : 'metadata'} explains the difference, or the value
      that explains it occurs in too few runs.
    </EmptyState>
  );
}
