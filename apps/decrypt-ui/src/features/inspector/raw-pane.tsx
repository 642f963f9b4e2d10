import { escapeInText, payloadPlaceholder, type PayloadRef } from '@temporal-kms/codec-api';
import { useEffect, useMemo, useState } from 'react';
import { stringify } from 'lossless-json';
import { useStore } from 'zustand';
import { Button } from '../../components/button.tsx';
import { CopyButton } from '../../components/copy-button.tsx';
import { eventTitle } from '../../model/describe-group.ts';
import { rawEvent, type RecordedEvent } from '../../model/history.ts';
import { payloadValue } from '../../model/payload-value.ts';
import { isRecord } from '../../model/values.ts';
import { useDecoder } from '../../payloads/payloads-context.tsx';
import { CodeView } from '../payload/code-view.tsx';
import styles from './panes.module.css';

/** The events in proto3 JSON, with references or decrypted values in place of the payloads. */
export function RawPane({ events }: { events: readonly RecordedEvent[] }) {
  const [decoded, setDecoded] = useState(false);
  const hasPayloads = events.some(({ payloads }) => payloads.length > 0);
  return (
    <>
      {hasPayloads ? (
        <div className={styles['choice']} role="group" aria-label="Payloads in the JSON">
          <Button
            look={decoded ? 'ghost' : 'quiet'}
            size="small"
            aria-pressed={!decoded}
            onClick={() => setDecoded(false)}
          >
            References
          </Button>
          <Button
            look={decoded ? 'quiet' : 'ghost'}
            size="small"
            aria-pressed={decoded}
            onClick={() => setDecoded(true)}
          >
            Decoded
          </Button>
        </div>
      ) : null}
      {events.map((event) =>
        decoded ? (
          <DecodedEvent key={event.eventId} event={event} />
        ) : (
          <EventText key={event.eventId} event={event} value={rawEvent(event)} />
        ),
      )}
    </>
  );
}

function DecodedEvent({ event }: { event: RecordedEvent }) {
  const values = useValues(event.payloads.map(({ ref }) => ref));
  const value = useMemo(() => replaced(withoutStubs(event), values), [event, values]);
  return <EventText event={event} value={value} decrypted />;
}

function withoutStubs(event: RecordedEvent) {
  const { payloads: _, ...raw } = rawEvent(event);
  return raw;
}

/** The decrypted values of payloads by ref, or why they cannot be decrypted. Keeps the payloads in view. */
function useValues(refs: readonly PayloadRef[]): ReadonlyMap<PayloadRef, unknown> {
  const decoder = useDecoder();
  const joined = refs.join(' ');
  useEffect(() => {
    const leave = joined === '' ? [] : joined.split(' ').map((ref) => decoder.view(ref));
    return () => {
      for (const stop of leave) stop();
    };
  }, [decoder, joined]);
  const { payloads } = useStore(decoder.store);
  return useMemo(() => {
    const values = new Map<PayloadRef, unknown>();
    for (const ref of joined.split(' ')) {
      const state = payloads.get(ref) ?? decoder.state(ref);
      if (state.status !== 'answered') continue;
      values.set(
        ref,
        state.result.ok ? shown(payloadValue(state.result.payload)) : { $unreadable: state.result.reason },
      );
    }
    return values;
  }, [decoder, joined, payloads]);
}

function shown(value: ReturnType<typeof payloadValue>): unknown {
  switch (value.kind) {
    case 'json':
      return value.value;
    case 'text':
      return value.text;
    case 'empty':
      return null;
    default:
      return { $bytes: value.bytes.length };
  }
}

/** A copy of a message with values in place of the placeholders. A placeholder without a value stays. */
function replaced(message: unknown, values: ReadonlyMap<PayloadRef, unknown>): unknown {
  const placeholder = payloadPlaceholder.safeParse(message);
  if (placeholder.success) {
    const { $payload: ref } = placeholder.data;
    return values.has(ref) ? values.get(ref) : message;
  }
  if (Array.isArray(message)) return message.map((item) => replaced(item, values));
  if (!isRecord(message)) return message;
  return Object.fromEntries(
    Object.entries(message).map(([name, member]) => [name, replaced(member, values)]),
  );
}

interface EventTextProps {
  readonly event: RecordedEvent;
  readonly value: unknown;
  readonly decrypted?: boolean;
}

function EventText({ event, value, decrypted = false }: EventTextProps) {
  // Numbers of decrypted JSON keep their exact digits.
  const text = useMemo(() => escapeInText(stringify(value, undefined, 2) ?? ''), [value]);
  const lines = useMemo(() => text.split('\n'), [text]);
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{eventTitle(event)}</h3>
        <span className={styles['note']}>
          event {event.eventId}, {decrypted ? 'payloads decoded' : 'payloads as references'}
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
