import type { Explanation, Finding } from '@temporal-kms/histories/why';
import { ChevronRight } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { plural } from '../../ui/format/number.ts';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useRun } from '../run/run-context.tsx';
import { Actions, PathToggle } from './actions.tsx';
import { Findings } from './findings.tsx';
import { Headline } from './headline.tsx';
import { useExplanation } from './use-explanation.ts';
import styles from './why-card.module.css';
import { failedTasksText, outcomeOfFinding } from './why-text.ts';
import type { WhyProps } from './why-props.ts';

const PathTable = lazy(async () => ({ default: (await import('./path-table.tsx')).PathTable }));

/**
 * Explains on one line why the run failed, what it waits for, and what else went wrong. Shows all findings
 * below that line on request.
 */
export function WhyCard(props: WhyProps) {
  const { onSelect, path } = props;
  const [open, setOpen] = useState(false);
  const { description, follow } = useRun();
  const explained = useExplanation(open);
  const { explanation, loaded, now, lockOf } = explained;
  const [first] = explanation.findings;
  const outcome = first ? outcomeOfFinding(first, description.workflow.status) : 'neutral';
  const phone = useNarrowerThan(PHONE_BELOW);
  const actions = <Actions explained={explained} first={first} {...props} />;
  return (
    <section className={styles['card']} aria-label="Why" data-outcome={outcome}>
      <div className={styles['line']}>
        <Button
          look="ghost"
          size="small"
          icon
          className={styles['twisty']}
          aria-label="All findings"
          aria-expanded={open}
          disabled={!first}
          onClick={() => setOpen(!open)}
        >
          <ChevronRight size={12} />
        </Button>
        <span className={styles['glyph']}>
          <OutcomeGlyph outcome={outcome} />
        </span>
        {first ? (
          <>
            <p className="ellipsis">
              <Headline finding={first} now={now} lockOf={lockOf} />
            </p>
            <Also explanation={explanation} first={first} />
          </>
        ) : (
          <p className="t3">
            {loaded
              ? `No step failed, and nothing is pending.${failedTasksText(follow.history)}`
              : follow.failure
                ? 'The history cannot be read now.'
                : 'Reading the history…'}
          </p>
        )}
        {phone && first ? path && !open ? <PathToggle {...props} /> : null : actions}
      </div>
      {open && first ? (
        <div className={styles['fold']}>
          {phone ? actions : null}
          <Findings explanation={explanation} now={now} lockOf={lockOf} onSelect={onSelect} />
        </div>
      ) : null}
      {path ? (
        <Suspense>
          <PathTable onSelect={onSelect} />
        </Suspense>
      ) : null}
    </section>
  );
}

/** Summarises the other findings: `1 failure in 781 steps, #2722`, or `+1 finding` if that does not fit. */
function Also({ explanation, first }: { explanation: Explanation; first: Finding }) {
  const others = explanation.findings.filter((finding) => finding !== first);
  const note = others.find(({ rule }) => rule === 'failed-steps');
  const titles = new Set(others.filter((other) => other !== note).map(({ title }) => title));
  const texts = [note && [note.title, note.detail].filter(Boolean).join(', '), ...titles].filter(Boolean);
  const [one, ...rest] = texts;
  if (one === undefined) return null;
  return (
    <span className={styles['also']} data-tip={texts.join('\n')}>
      <span className={styles['number']} aria-hidden="true">
        +{plural(texts.length, 'finding')}
      </span>
      <span className={styles['others']}>{rest.length === 0 ? one : `${one} +${rest.length}`}</span>
    </span>
  );
}
