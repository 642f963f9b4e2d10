import { useNow } from '../../ui/use-now.ts';
import styles from './reveal.module.css';

/** Formats minutes and seconds: `4:32`. */
function clockText(millis: number): string {
  const seconds = Math.max(Math.ceil(millis / 1000), 0);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

interface CountdownProps {
  readonly until: number;
  /** Whether to show only the minutes and seconds. */
  readonly short?: boolean;
}

/** The time until payloads are hidden again. Screen readers read it only on request, because it changes every second. */
export function Countdown({ until, short = false }: CountdownProps) {
  const left = until - useNow(true);
  return (
    <span className={styles['countdown']} role="timer" aria-label={`Hidden in ${clockText(left)}`}>
      {short ? '' : 'hides in '}
      {clockText(left)}
    </span>
  );
}
