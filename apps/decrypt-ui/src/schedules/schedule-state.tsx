import { OutcomeChip } from '../ui/text/outcome.tsx';
import styles from './schedules.module.css';

interface ScheduleStateProps {
  readonly paused: boolean;
  /**
   * The text in which a person explained why they paused or resumed the schedule. Temporal stores the text in
   * plaintext.
   */
  readonly note: string | undefined;
}

/** Shows whether a schedule is paused, and the note of the person who paused or resumed it. */
export function ScheduleState({ paused, note }: ScheduleStateProps) {
  return (
    <span className={styles['state']}>
      {paused ? (
        <OutcomeChip outcome="paused">Paused</OutcomeChip>
      ) : (
        <OutcomeChip outcome="ok">Active</OutcomeChip>
      )}{' '}
      {note ? <span className="t2">{note}</span> : null}
    </span>
  );
}
