import { escapeInText } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { eventTitle } from '../../model/describe-group.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { stringifyJson } from '../../model/stringify-json.ts';
import { CodeView } from '../payload/code-view.tsx';
import styles from './panes.module.css';

interface EventTextProps {
  readonly event: RecordedEvent;
  readonly value: unknown;
  readonly note: string;
  readonly decrypted?: boolean;
}

/** An event as JSON. */
export function EventText({ event, value, note, decrypted = false }: EventTextProps) {
  // Numbers of decrypted JSON keep their exact digits.
  const text = useMemo(() => escapeInText(stringifyJson(value, 2)), [value]);
  const lines = useMemo(() => text.split('\n'), [text]);
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>
          event {event.eventId}, {note}
        </span>
        <span className="spacer" />
        <CopyButton what="event as JSON" text={() => text} />
      </header>
      <CodeView
        count={lines.length}
        label={`Event ${event.eventId} as JSON`}
        decrypted={decrypted}
        renderLine={(index) => lines[index]}
      />
    </section>
  );
}
