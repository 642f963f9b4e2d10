import { useRunAccess } from '../../payloads/reveal/reveal-choices.ts';
import { useSessionState } from '../../session/services.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatClock, formatMoment } from '../../ui/format/time.ts';
import { Footer } from '../../ui/page/footer.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './run-footer.module.css';

/** The footer of a run's page: whether the run is live, what is loaded, and how many payloads cannot be read. */
export function RunFooter() {
  const { address, follow, description, open, usage, paused, setPaused, held } = useRun();
  useCommands({ 'run.pause': open && !address.file ? () => setPaused(!paused) : undefined });
  const access = useRunAccess(address);
  const expired = useSessionState().status === 'expired';
  const format = useTimeFormat();
  const { events } = follow.history;
  const { encrypted, unreadable } = usage;
  const last = events.at(-1);
  const expected = description.workflow.historyLength;
  const loading = follow.phase === 'loading' && events.length < expected;
  return (
    <Footer
      hints={[
        { commands: ['match.next'], text: 'next match' },
        { commands: ['match.only'], text: 'only matches' },
        { commands: ['row.next', 'row.previous'], text: 'event' },
        { commands: ['failed.next'], text: 'next failed' },
        { commands: ['pending.next'], text: 'next pending' },
        { commands: ['inspector.focus'], text: 'inspector' },
        { commands: ['view.idle'], text: 'idle time' },
        { commands: ['help'], text: 'all keys' },
      ]}
    >
      {loading ? (
        <span className={styles['state']}>
          {formatCount(events.length)} of about {formatCount(expected)} events
        </span>
      ) : held ? (
        <span className={styles['state']}>
          <i className={styles['dot']} data-outcome={isDisconnected(held.phase) ? 'timed-out' : 'paused'} />
          {[
            `Paused at ${formatClock(held.since, format)}`,
            ...(held.events > 0 ? [plural(held.events, 'new event')] : []),
            ...(held.ended ? ['the run has ended'] : []),
            ...(isDisconnected(held.phase) ? ['disconnected'] : []),
          ].join(', ')}
          <Button look="ghost" size="small" onClick={() => setPaused(false)}>
            Continue
          </Button>
        </span>
      ) : (
        <span className={styles['state']}>
          <i className={styles['dot']} data-outcome={open ? liveOutcome(follow.phase) : 'neutral'} />
          {open ? liveText(follow.phase) : address.file ? 'File' : 'Closed'}
          {last ? `, last event ${formatMoment(last.at, format)}` : ''}
        </span>
      )}
      {encrypted > 0 && (access === 'refused' || expired) ? (
        <span>{plural(encrypted, 'payload')} not shown</span>
      ) : encrypted > unreadable && access === 'locked' ? (
        <span>Payloads locked</span>
      ) : null}
      {unreadable > 0 ? <span>{plural(unreadable, 'payload')} unreadable</span> : null}
    </Footer>
  );
}

const isDisconnected = (phase: string) => phase === 'retrying' || phase === 'failed';
const liveOutcome = (phase: string) => (isDisconnected(phase) ? 'timed-out' : 'running');
const liveText = (phase: string) => (isDisconnected(phase) ? 'Disconnected' : 'Live');
