import { escapeInText } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { eventTitle } from '@temporal-kms/histories/events';
import { CodeView } from '../../payloads/code-view.tsx';
import { stringifyJson } from '../../payloads/value/stringify-json.ts';
import { JsonView } from '../../payloads/view/json-view.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import type { RecordedEvent } from '../events/history.ts';
import styles from './panes.module.css';

interface EventTextProps {
  readonly event: RecordedEvent;
  readonly value: unknown;
  readonly note: string;
  readonly decrypted?: boolean;
}

/**
 * An event with more payload bytes than this is shown as a tree, because so much text would block the page.
 */
const LARGE = 50_000;

// Numbers in decrypted JSON keep every digit.
const textOf = (value: unknown) => escapeInText(stringifyJson(value, 2));

/** An event as JSON: as text, or as a tree if its payloads are large. */
export function EventText({ event, value, note, decrypted = false }: EventTextProps) {
  const Body = event.payloads.reduce((sum, { bytes }) => sum + bytes, 0) > LARGE ? JsonView : Text;
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>
          event {event.eventId}, {note}
        </span>
        <span className="spacer" />
        <CopyButton what="event as JSON" text={() => textOf(value)} />
      </header>
      <Body value={value} label={`Event ${event.eventId} as JSON`} decrypted={decrypted} />
    </section>
  );
}

interface TextProps {
  readonly value: unknown;
  readonly label: string;
  readonly decrypted: boolean;
}

function Text({ value, ...rest }: TextProps) {
  const lines = useMemo(() => textOf(value).split('\n'), [value]);
  return <CodeView count={lines.length} renderLine={(index) => lines[index]} {...rest} />;
}
