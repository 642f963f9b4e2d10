import type { PayloadRef } from '@temporal-kms/codec-api';
import { Eye } from 'lucide-react';
import type { PendingWork } from '@temporal-kms/histories/events';
import { failureChain } from '@temporal-kms/histories/failures';
import { usePayloads, useSomeLocked } from '../../payloads/payloads-context.tsx';
import { eventsChoice, widerChoices } from '../../payloads/reveal/reveal-choices.ts';
import { askToReveal } from '../../payloads/reveal/reveal-request.ts';
import styles from '../../payloads/reveal/reveal.module.css';
import { useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import type { RecordedEvent } from '../events/history.ts';

/** Returns a function that reveals the payloads of the given events and of their pending work. */
export function useRevealEvents() {
  const reveals = useReveals();
  const { target } = usePayloads();
  return (events: readonly RecordedEvent[], pending?: PendingWork) => {
    const ends = [events[0]?.eventId ?? 0, events.at(-1)?.eventId ?? 0] as const;
    const own = target(refsOf(events, pending));
    askToReveal(reveals, { choices: [eventsChoice(ends, own), ...widerChoices(own.run)] });
  };
}

interface RevealEventsProps {
  readonly events: readonly RecordedEvent[];
  readonly pending: PendingWork | undefined;
}

/** A button that reveals all payloads of the selected events. */
export function RevealEvents({ events, pending }: RevealEventsProps) {
  const locked = useSomeLocked(refsOf(events, pending));
  const reveal = useRevealEvents();
  if (!locked) return null;
  return (
    <Button
      look="crypto"
      size="small"
      className={styles['reveal']}
      {...tip('reveal.event')}
      onClick={() => reveal(events, pending)}
    >
      <Eye size={12} />
      {events.length === 1 ? 'Reveal event' : 'Reveal events'}
    </Button>
  );
}

/** Returns the payloads of the given events, and of the last failure of their pending work. */
const refsOf = (events: readonly RecordedEvent[], pending: PendingWork | undefined): PayloadRef[] => [
  ...events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref)),
  ...failureChain(pending?.lastFailure).flatMap(({ encoded, payloads }) => [
    ...(encoded === undefined ? [] : [encoded]),
    ...payloads,
  ]),
];
