import { Link, useNavigate } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { GitCompareArrows, X } from 'lucide-react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { shortRunId } from '../../ui/format/run-id.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { comparisonOf } from '../run-params.ts';
import styles from './picks-bar.module.css';
import type { Picks } from './table/use-picks.ts';

/**
 * The picked runs and the link to their comparison. The bar is below the list, so that no row moves when the
 * bar appears.
 */
export function PicksBar({ namespace, picks }: { namespace: string; picks: Picks }) {
  const navigate = useNavigate();
  const [first, second] = picks.runs;
  const comparison = first && second ? comparisonOf(namespace, first, second) : undefined;
  useCommands({
    'runs.compare': comparison && (() => void navigate(comparison)),
    'runs.pick': () => picks.setPicking(true),
    'runs.unpick': first || picks.picking ? picks.clear : undefined,
  });
  if (!first && !picks.picking) return null;
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
          {first ? 'Pick another run to compare it with' : 'Pick two runs to compare'}
        </span>
      )}
      <Button look="ghost" {...tip('runs.unpick')} onClick={picks.clear}>
        Cancel
      </Button>
    </section>
  );
}
