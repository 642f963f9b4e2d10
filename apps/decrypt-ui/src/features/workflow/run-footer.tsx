import { formatCount } from '../../model/format/number.ts';
import { formatClock, formatMoment } from '../../model/format/time.ts';
import { useZone } from '../../state/preferences.ts';
import { Footer } from '../shell/footer.tsx';
import { useRun } from './run-context.tsx';
import styles from './run-footer.module.css';

export function RunFooter() {
  const { follow, description, open, usage } = useRun();
  const zone = useZone();
  const { events } = follow.history;
  const { sealed, unreadable } = usage;
  const last = events.at(-1);
  const expected = description.workflow.historyLength;
  const loading = follow.phase === 'loading' && events.length < expected;
  return (
    <Footer
      keys={[
        [['J', 'K'], 'event'],
        [['E'], 'next failed'],
        [['P'], 'next pending'],
        [['I'], 'inspector'],
        [['Z'], 'idle gaps'],
        [['?'], 'all keys'],
      ]}
    >
      {loading ? (
        <span>
          {formatCount(events.length)} of about {formatCount(expected)} events
        </span>
      ) : (
        <span className={styles['state']}>
          <i className={styles['dot']} data-outcome={open ? liveOutcome(follow.phase) : 'neutral'} />
          {open ? liveText(follow.phase) : 'Closed'}
          {last ? `, last event ${open ? formatClock(last.at, zone) : formatMoment(last.at, zone)}` : ''}
        </span>
      )}
      {sealed > 0 ? (
        <span>
          {formatCount(sealed - unreadable)} of {formatCount(sealed)} payloads readable
        </span>
      ) : null}
    </Footer>
  );
}

const liveOutcome = (phase: string) => (phase === 'retrying' || phase === 'failed' ? 'timed-out' : 'running');
const liveText = (phase: string) => (phase === 'retrying' || phase === 'failed' ? 'Cut off' : 'Live');
