import type { Finding } from '@temporal-kms/histories/why';
import { Ticket, Timer } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { RevealControl } from '../../payloads/reveal-control.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { useRun } from '../run/run-context.tsx';
import { AskWorker } from './ask-worker.tsx';
import { ToEvent } from './findings.tsx';
import { CompareWithLastGood } from './last-good-run.tsx';
import { ticketText } from './ticket.ts';
import type { Explained } from './use-explanation.ts';
import styles from './why-card.module.css';
import { WhatDiffers } from './what-differs.tsx';
import type { WhyProps } from './why-props.ts';

const SameCause = lazy(async () => ({ default: (await import('./same-cause.tsx')).SameCause }));

interface ActionsProps extends WhyProps {
  readonly explained: Explained;
  readonly first: Finding | undefined;
}

/** The card's actions. */
export function Actions({ explained, first, onSelect, path, onPath }: ActionsProps) {
  const { explanation } = explained;
  const { address, open } = useRun();
  const isBad = explanation.state === 'failed' || explanation.state === 'stuck' || first?.rule === 'slow';
  return (
    <span className={styles['actions']}>
      {explanation.state === 'failed' && !address.file ? (
        <Suspense>
          <SameCause />
        </Suspense>
      ) : null}
      <RevealControl refs={explanation.refs} title="Explanation" />
      {first ? (
        <>
          <ToEvent eventId={first.eventId} onSelect={onSelect} />
          <CopyTicket explained={explained} />
        </>
      ) : null}
      {explanation.state === 'waits' && open ? <AskWorker /> : null}
      {isBad ? <CompareWithLastGood /> : null}
      {explanation.state === 'failed' ? <WhatDiffers /> : null}
      <PathToggle path={path} onPath={onPath} />
    </span>
  );
}

/** Shows or hides the table with the critical path. */
export const PathToggle = ({ path, onPath }: Pick<WhyProps, 'path' | 'onPath'>) => (
  <Button
    look="ghost"
    size="small"
    icon
    aria-label="Critical path"
    aria-pressed={path}
    {...tip('view.path')}
    onClick={onPath}
  >
    <Timer size={14} />
  </Button>
);

function CopyTicket({ explained: { run, read, lockOf } }: Pick<ActionsProps, 'explained'>) {
  const { address, description } = useRun();
  const link = `${location.origin}${location.pathname}`;
  return (
    <CopyButton
      what="for a ticket"
      glyph={<Ticket size={14} />}
      text={() => ticketText({ address, workflow: description.workflow, run, read, lockOf, link })}
    />
  );
}
