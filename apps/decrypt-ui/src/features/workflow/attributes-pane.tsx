import { eventTitle } from '../../model/describe-group.ts';
import { Breakable } from '../../components/breakable.tsx';
import { attributeList } from '../../model/attribute-list.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { formatMomentExact } from '../../model/format/time.ts';
import { millisOf } from '../../model/values.ts';
import { useZone } from '../../state/preferences.ts';
import styles from './panes.module.css';

/** Everything of the events that isn't a payload, defaults left out. */
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
            <dd>{shown(value, zone)}</dd>
          </div>
        ))}
      </dl>
    </section>
  ));
}

function shown(value: string, zone: 'utc' | 'local'): string {
  const millis = /^\d{4}-\d\d-\d\dT/.test(value) ? millisOf(value) : undefined;
  return millis === undefined ? value : formatMomentExact(millis, zone);
}
