import { payloadPlaceholder, type PayloadRef } from '@temporal-kms/codec-api';
import { type ReactNode, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import { Button } from '../../components/button.tsx';
import { rawEvent, type RecordedEvent } from '../../model/history.ts';
import { type PayloadValue, payloadValue } from '../../model/payload-value.ts';
import { isRecord } from '../../model/values.ts';
import { useRun } from '../../run/run-context.tsx';
import { useDecoder, usePayloadsInView } from '../../payloads/payloads-context.tsx';
import { valueOf } from '../../payloads/payload-values.ts';
import { EventText } from './event-text.tsx';
import { StoredEventText } from './stored-event.tsx';
import styles from './panes.module.css';

type Form = 'references' | 'decoded' | 'stored';

const forms: readonly { readonly form: Form; readonly text: string; readonly tip: string }[] = [
  { form: 'references', text: 'References', tip: 'References in place of the payloads' },
  { form: 'decoded', text: 'Decoded', tip: 'Decrypted payloads' },
  { form: 'stored', text: 'As stored', tip: 'The payloads as Temporal stores them' },
];

/** The events in proto3 JSON: references or decrypted values in place of the payloads, or the payloads as they are stored. */
export function RawPane({ events }: { events: readonly RecordedEvent[] }) {
  const { address } = useRun();
  const [form, setForm] = useState<Form>('references');
  // The reader has the stored payloads of a file.
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
  const values = useValues(event.payloads.map(({ ref }) => ref));
  const value = useMemo(() => replaced(withoutStubs(event), values), [event, values]);
  return <EventText event={event} value={value} note="payloads decoded" decrypted />;
}

function withoutStubs(event: RecordedEvent) {
  const { payloads: _, ...raw } = rawEvent(event);
  return raw;
}

/** The decrypted values of payloads by ref, or why they cannot be decrypted. Keeps the payloads in view. */
function useValues(refs: readonly PayloadRef[]): ReadonlyMap<PayloadRef, unknown> {
  const decoder = useDecoder();
  const viewed = usePayloadsInView(decoder, refs);
  const { payloads } = useStore(decoder.store);
  return useMemo(() => {
    const values = new Map<PayloadRef, unknown>();
    for (const ref of viewed) {
      const state = payloads.get(ref) ?? decoder.state(ref);
      if (state.status !== 'answered') continue;
      values.set(
        ref,
        state.result.ok
          ? shown(valueOf(state.result.payload) ?? payloadValue(state.result.payload))
          : { $unreadable: state.result.reason },
      );
    }
    return values;
  }, [decoder, viewed, payloads]);
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
