import type { Explanation, Finding } from '@temporal-kms/histories/why';
import { ChevronRight, Ticket } from 'lucide-react';
import { useState } from 'react';
import { RevealControl } from '../../payloads/reveal-control.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useRun } from '../run/run-context.tsx';
import { Findings, ToEvent } from './findings.tsx';
import { Headline } from './headline.tsx';
import { CompareWithLastGood } from './last-good-run.tsx';
import { ticketText } from './ticket.ts';
import { type Explained, useExplanation } from './use-explanation.ts';
import styles from './why-card.module.css';
import { outcomeOfFinding } from './why-text.ts';

interface WhyCardProps {
  readonly onSelect: (eventId: number) => void;
}

/** Why the run failed, what it waits for, and what went wrong on the way: a line, and all findings below it on request. */
export function WhyCard({ onSelect }: WhyCardProps) {
  const [open, setOpen] = useState(false);
  const { description } = useRun();
  const explained = useExplanation(open);
  const { explanation, loaded, now, lockOf } = explained;
  const [first] = explanation.findings;
  const outcome = first ? outcomeOfFinding(first, description.workflow.status) : 'neutral';
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
            {loaded ? 'Nothing failed, and nothing is pending.' : 'The history is being read …'}
          </p>
        )}
        <Actions explained={explained} first={first} onSelect={onSelect} />
      </div>
      {open && first ? (
        <div className={styles['fold']}>
          <Findings explanation={explanation} now={now} lockOf={lockOf} onSelect={onSelect} />
        </div>
      ) : null}
    </section>
  );
}

/** What else the rules have found: `1 failure in 781 steps, #2722`. */
function Also({ explanation, first }: { explanation: Explanation; first: Finding }) {
  const others = explanation.findings.filter((finding) => finding !== first);
  const note = others.find(({ rule }) => rule === 'failed-steps');
  const titles = new Set(others.filter((other) => other !== note).map(({ title }) => title));
  const texts = [note && [note.title, note.detail].filter(Boolean).join(', '), ...titles].filter(Boolean);
  const [one, ...rest] = texts;
  if (one === undefined) return null;
  return (
    <span className={styles['also']} data-tip={texts.join('\n')}>
      {rest.length === 0 ? one : `${one} +${rest.length}`}
    </span>
  );
}

interface ActionsProps extends WhyCardProps {
  readonly explained: Explained;
  readonly first: Finding | undefined;
}

function Actions({ explained, first, onSelect }: ActionsProps) {
  const { address, description } = useRun();
  if (!first) return null;
  const { run, read, explanation } = explained;
  return (
    <span className={styles['actions']}>
      <RevealControl refs={explanation.refs} title="Explanation" />
      <ToEvent eventId={first.eventId} onSelect={onSelect} />
      <CopyButton
        what="for a ticket"
        glyph={<Ticket size={14} />}
        text={() =>
          ticketText({
            address,
            workflow: description.workflow,
            run,
            read,
            link: `${location.origin}${location.pathname}`,
          })
        }
      />
      {explanation.state === 'failed' || explanation.state === 'stuck' ? <CompareWithLastGood /> : null}
    </span>
  );
}
