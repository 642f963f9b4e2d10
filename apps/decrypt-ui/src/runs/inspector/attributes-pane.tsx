import { eventTitle } from '@temporal-kms/histories/events';
import { attributeName } from '../../payloads/value/attribute-words.ts';
import { formatMomentExact } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { Breakable } from '../../ui/text/breakable.tsx';
import type { RecordedEvent } from '../events/history.ts';
import { attributeList, formatAttribute } from './attribute-list.ts';
import styles from './panes.module.css';

/** The events' attributes: everything except payloads, failures and proto3 defaults. */
export function AttributesPane({ events }: { events: readonly RecordedEvent[] }) {
  const format = useTimeFormat();
  return events.map((event) => (
    <section key={event.eventId} className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>
          event {event.eventId}, {formatMomentExact(event.at, format)}
        </span>
      </header>
      <dl className={styles['list']}>
        <div>
          <dt>Type</dt>
          <dd>{event.eventName}</dd>
        </div>
        {attributeList(event.attributes).map(([name, value]) => (
          <div key={name}>
            <dt data-tip={name}>
              <Breakable>{attributeName(name)}</Breakable>
            </dt>
            <dd>{formatAttribute(name, value, format)}</dd>
          </div>
        ))}
      </dl>
    </section>
  ));
}
