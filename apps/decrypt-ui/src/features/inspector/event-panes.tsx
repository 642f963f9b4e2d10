import { escapeInText } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { Breakable } from '../../components/breakable.tsx';
import { CopyButton } from '../../components/copy-button.tsx';
import { attributeList, formatAttribute } from '../../model/attribute-list.ts';
import { eventTitle } from '../../model/describe-group.ts';
import { formatMomentExact } from '../../model/format/time.ts';
import { rawEvent, type RecordedEvent } from '../../model/history.ts';
import { useZone } from '../../state/preferences.ts';
import { CodeView } from '../payload/code-view.tsx';
import styles from './panes.module.css';

/** The attributes of the events: everything except payloads and proto3 defaults. */
export function AttributesPane({ events }: { events: readonly RecordedEvent[] }) {
  const zone = useZone();
  return events.map((event) => (
    <section key={event.eventId} className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>
          event {event.eventId}, {formatMomentExact(event.at, zone)}
        </span>
      </header>
      <dl className={styles['list']}>
        <div>
          <dt>type</dt>
          <dd>{event.eventName}</dd>
        </div>
        {attributeList(event.attributes).map(([name, value]) => (
          <div key={name}>
            <dt>
              <Breakable>{name}</Breakable>
            </dt>
            <dd>{formatAttribute(value, zone)}</dd>
          </div>
        ))}
      </dl>
    </section>
  ));
}

/** The events as the server sends them: proto3 JSON with references in place of the payloads. */
export function RawPane({ events }: { events: readonly RecordedEvent[] }) {
  return events.map((event) => <RawEvent key={event.eventId} event={event} />);
}

function RawEvent({ event }: { event: RecordedEvent }) {
  const text = useMemo(() => escapeInText(JSON.stringify(rawEvent(event), undefined, 2)), [event]);
  const lines = useMemo(() => text.split('\n'), [text]);
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>event {event.eventId}, payloads as references</span>
        <span className="spacer" />
        <CopyButton what="event as JSON" text={() => text} />
      </header>
      <CodeView
        count={lines.length}
        label={`Event ${event.eventId} as JSON`}
        renderLine={(index) => lines[index]}
      />
    </section>
  );
}
