import type { WhatDiffers } from '@temporal-kms/histories/why';
import { CircleAlert, ShieldCheck } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import { EmptyState, Notice } from '../../ui/page/notice.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { type Comparison, type Comparisons, isPartial } from './comparison.ts';
import { DifferencesTable } from './differences-table.tsx';
import styles from './differs.module.css';
import type { Queries } from './presets.ts';
import { comparedRuns, fieldsOf, type ReadSets, runsInBoth, spanOf } from './read-set.ts';

interface OutcomeProps {
  readonly comparison: Comparison;
  /** The queries of the sets as the user wrote them. */
  readonly texts: Queries;
  readonly comparisons: Comparisons;
}

/** Shows the differences between two sets, and which runs were compared. */
export function Outcome({ comparison, texts, comparisons }: OutcomeProps) {
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

function showInView(element: Element | null) {
  element?.scrollIntoView({ block: 'nearest' });
}

/** Shows when the compared runs of each set started. */
function Times({ sets }: { sets: ReadSets }) {
  const format = useTimeFormat();
  const [ofA, ofB] = comparedRuns(sets).map((runs) => spanText(spanOf(runs), format));
  if (ofA === undefined || ofB === undefined) return null;
  const [a, b] = sets;
  const matched = a.again ? (['A', 'B'] as const) : b.again ? (['B', 'A'] as const) : undefined;
  return (
    <p ref={showInView} className={styles['times']}>
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

const hasSameRuns = (sets: ReadSets): boolean =>
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
