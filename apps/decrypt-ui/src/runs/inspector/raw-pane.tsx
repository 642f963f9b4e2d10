import { payloadPlaceholder, type PayloadRef } from '@temporal-kms/codec-api';
import { type ReactNode, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import { useDecoder, usePayload } from '../../payloads/payloads-context.tsx';
import { valueOf, valuesStore } from '../../payloads/value/interpret.ts';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { Button } from '../../ui/controls/button.tsx';
import { rawEvent, type RecordedEvent } from '../events/history.ts';
import { useRun } from '../run/run-context.tsx';
import { EventText } from './event-text.tsx';
import styles from './panes.module.css';
import { StoredEventText } from './stored-event-text.tsx';

type Form = 'references' | 'decoded' | 'stored';

const forms: readonly { readonly form: Form; readonly text: string; readonly tip: string }[] = [
  { form: 'references', text: 'References', tip: 'References in place of the payloads' },
  { form: 'decoded', text: 'Decoded', tip: 'Decrypted payloads' },
  { form: 'stored', text: 'As stored', tip: 'The payloads as Temporal stores them' },
];

/** The events in proto3 JSON, with payloads as references, decrypted or as stored. */
export function RawPane({ events }: { events: readonly RecordedEvent[] }) {
  const { address } = useRun();
  const [form, setForm] = useState<Form>('references');
  // The form `stored` is not offered for a history file, because the user already has the stored payloads.
  const offered = address.file ? forms.filter((each) => each.form !== 'stored') : forms;
  const hasPayloads = events.some(({ payloads }) => payloads.length > 0);
  const View = views[form];
  return (
    <>
      {hasPayloads ? (
        <div className={styles['choice']} role="group" aria-label="Payloads in the JSON">
          {offered.map(({ form: own, text, tip }) => (
            <Button
              key={own}
              look={form === own ? 'quiet' : 'ghost'}
              size="small"
              aria-pressed={form === own}
              data-tip={tip}
              onClick={() => setForm(own)}
            >
              {text}
            </Button>
          ))}
        </div>
      ) : null}
      {events.map((event) => (
        <View key={event.eventId} event={event} />
      ))}
    </>
  );
}

const views: Readonly<Record<Form, (props: { event: RecordedEvent }) => ReactNode>> = {
  references: ({ event }) => (
    <EventText event={event} value={rawEvent(event)} note="payloads as references" />
  ),
  decoded: DecodedEvent,
  stored: StoredEventText,
};

function DecodedEvent({ event }: { event: RecordedEvent }) {
  const values = useValues(event);
  const value = useMemo(() => replaced(withoutStubs(event), values), [event, values]);
  return (
    <>
      {event.payloads.map(({ ref }) => (
        <InView key={ref} payload={ref} />
      ))}
      <EventText event={event} value={value} note="payloads decoded" decrypted />
    </>
  );
}

/** Keeps a payload in view, so that it is decrypted and, if large, interpreted in a worker. */
function InView({ payload }: { payload: PayloadRef }) {
  usePayload(payload);
  return null;
}

function withoutStubs(event: RecordedEvent) {
  const { payloads: _, ...raw } = rawEvent(event);
  return raw;
}

/** Returns an event's decrypted values, or why they cannot be decrypted, by ref. */
function useValues({ payloads }: RecordedEvent): ReadonlyMap<PayloadRef, unknown> {
  const decoder = useDecoder();
  const answers = useStore(decoder.store);
  const interpreted = useStore(valuesStore);
  return useMemo(() => {
    const values = new Map<PayloadRef, unknown>();
    for (const { ref } of payloads) {
      const state = decoder.state(ref);
      if (state.status !== 'answered') continue;
      const { result } = state;
      const value = result.ok ? valueOf(result.payload) : undefined;
      if (!result.ok) values.set(ref, { $unreadable: result.reason });
      else if (value) values.set(ref, shown(value));
    }
    return values;
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- `decoder.state` reads the answers
  }, [decoder, payloads, answers, interpreted]);
}

function shown(value: PayloadValue): unknown {
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

/** Returns a copy of a message with placeholders replaced by values. A placeholder without a value remains. */
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
