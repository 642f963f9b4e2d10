import { partsOfRef, type PayloadRef } from '@temporal-kms/codec-api';
import { Eye } from 'lucide-react';
import { Button } from '../ui/controls/button.tsx';
import { useOpenUntil, usePayloads, useSomeLocked } from './payloads-context.tsx';
import { Countdown } from './reveal/countdown.tsx';
import { eventsChoice, widerChoices } from './reveal/reveal-choices.ts';
import { askToReveal } from './reveal/reveal-request.ts';
import styles from './reveal/reveal.module.css';
import { useReveals } from './reveal/reveals-context.tsx';

interface RevealControlProps {
  readonly refs: readonly PayloadRef[];
  /** The page's title for these payloads: `Input`. */
  readonly title: string;
}

/**
 * The control that reveals the payloads under a title. Shows a button while any of the payloads is locked, or
 * the time left while the payloads are open for a limited time.
 */
export function RevealControl({ refs, title }: RevealControlProps) {
  const locked = useSomeLocked(refs);
  const until = useOpenUntil(refs);
  const reveal = useReveal(refs, title);
  if (locked) {
    return (
      <Button look="crypto" size="small" className={styles['reveal']} onClick={reveal}>
        <Eye size={12} />
        Reveal<span className="sr-only"> {title}</span>
      </Button>
    );
  }
  return until === undefined ? null : <Countdown until={until} short />;
}

/** Returns a function that offers to reveal the payloads, their event or their run. */
function useReveal(refs: readonly PayloadRef[], title: string) {
  const reveals = useReveals();
  const { target, ofEvent } = usePayloads();
  return () => {
    const [first] = refs;
    if (first === undefined) return;
    const own = target(refs);
    const event = partsOfRef(first).eventId;
    const all = ofEvent(first);
    const whole = all.length > refs.length ? [eventsChoice([event, event], target(all))] : [];
    const name = all.length > 0 ? `${title} of event ${event}` : title;
    askToReveal(reveals, {
      choices: [{ target: own, text: title, name }, ...whole, ...widerChoices(own.run)],
    });
  };
}
