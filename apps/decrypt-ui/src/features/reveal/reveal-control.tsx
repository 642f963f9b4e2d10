import type { PayloadRef } from '@temporal-kms/codec-api';
import { Eye } from 'lucide-react';
import { tip } from '../../commands/commands.ts';
import { Button } from '../../components/button.tsx';
import type { RecordedEvent } from '../../model/history.ts';
import type { PendingWork } from '../../model/pending.ts';
import { useOpenUntil, useSomeLocked } from '../../payloads/payloads-context.tsx';
import { refsOf, useRevealInRun } from './choices.ts';
import { Countdown } from './countdown.tsx';
import styles from './reveal.module.css';

interface RevealControlProps {
  readonly refs: readonly PayloadRef[];
  /** What the page calls these payloads: `Input`. */
  readonly title: string;
}

/** For payloads under one title: a button while one of them is locked, the time that is left while they are open for a time. */
export function RevealControl({ refs, title }: RevealControlProps) {
  const locked = useSomeLocked(refs);
  const until = useOpenUntil(refs);
  const reveal = useRevealInRun();
  if (locked) {
    return (
      <Button
        look="crypto"
        size="small"
        className={styles['reveal']}
        onClick={() => reveal.payloads(refs, title)}
      >
        <Eye size={12} />
        Reveal<span className="sr-only"> {title}</span>
      </Button>
    );
  }
  return until === undefined ? null : <Countdown until={until} />;
}

interface RevealEventsProps {
  readonly events: readonly RecordedEvent[];
  readonly pending: PendingWork | undefined;
}

/** Reveals all payloads of the selected events. */
export function RevealEvents({ events, pending }: RevealEventsProps) {
  const locked = useSomeLocked(refsOf(events, pending));
  const reveal = useRevealInRun();
  if (!locked) return null;
  return (
    <Button
      look="crypto"
      size="small"
      className={styles['reveal']}
      {...tip('reveal.event')}
      onClick={() => reveal.events(events, pending)}
    >
      <Eye size={12} />
      {events.length === 1 ? 'Reveal event' : 'Reveal events'}
    </Button>
  );
}
