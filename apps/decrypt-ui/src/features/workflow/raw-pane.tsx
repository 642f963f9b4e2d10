import { escapeInText } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { eventTitle } from '../../model/describe-group.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { LinesView } from '../payload/lines-view.tsx';
import styles from './panes.module.css';

/** The events as the server sends them: proto3 JSON, with a reference where a payload stands. */
export function RawPane({ events }: { events: readonly RecordedEvent[] }) {
  return events.map((event) => <RawEvent key={event.eventId} event={event} />);
}

function RawEvent({ event }: { event: RecordedEvent }) {
  const text = useMemo(() => {
    const { at: _, ...raw } = event;
    return escapeInText(JSON.stringify(raw, undefined, 2));
  }, [event]);
  const lines = useMemo(() => text.split('\n'), [text]);
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>event {event.eventId}, payloads as references</span>
        <span className="spacer" />
        <CopyButton what="event as JSON" text={() => text} />
      </header>
      <LinesView
        count={lines.length}
        label={`Event ${event.eventId} as JSON`}
        renderLine={(index) => lines[index]}
      />
    </section>
  );
}
