import { Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { GitCompareArrows, X } from 'lucide-react';
import { useLayoutEffect } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { shortRunId } from '../../ui/format/run-id.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import type { comparisonOf } from '../run-params.ts';
import styles from './picks-bar.module.css';
import type { Picks } from './table/use-picks.ts';

interface PickedRunsProps {
  readonly picks: Picks;
  /** The link to the comparison, once two runs are picked. */
  readonly comparison: ReturnType<typeof comparisonOf> | undefined;
}

/** The picked runs, and the link to their comparison. */
export function PickedRuns({ picks, comparison }: PickedRunsProps) {
  // The bar takes space from the list, so it may hide the row that the user has just picked.
  useLayoutEffect(() => {
    document.activeElement?.closest('[role="row"]')?.scrollIntoView({ block: 'nearest' });
  }, []);
  return (
    <section className={styles['bar']} aria-label="Runs to compare" data-unprinted="">
      <span className={styles['icon']} aria-hidden="true">
        <GitCompareArrows size={14} />
      </span>
      <ol className={styles['runs']}>
        {picks.runs.map((run, index) => {
          const outcome = outcomeOf(run.status);
          return (
            <li key={run.runId} className={styles['run']}>
              <span className={styles['number']} aria-hidden="true">
                {index + 1}
              </span>
              <OutcomeGlyph outcome={outcome} />
              <span className="sr-only">{outcomeText[outcome]}</span>
              <span className="ellipsis">{escapeInvisible(run.workflowId)}</span>
              <span className={styles['id']}>{shortRunId(run.runId)}</span>
              <Button
                look="ghost"
                size="small"
                icon
                aria-label={`Drop ${escapeInvisible(run.workflowId)} from the comparison`}
                onClick={() => picks.toggle(run)}
              >
                <X size={12} />
              </Button>
            </li>
          );
        })}
      </ol>
      <span className="spacer" />
      {comparison ? (
        <Link {...comparison} className={buttonClass({ look: 'primary' })} {...tip('runs.compare')}>
          Compare
        </Link>
      ) : (
        <span className={styles['hint']}>
          {picks.runs.length > 0 ? 'Pick another run to compare it with' : 'Pick two runs to compare'}
        </span>
      )}
      <Button look="ghost" {...tip('runs.unpick')} onClick={picks.clear}>
        Cancel
      </Button>
    </section>
  );
}
