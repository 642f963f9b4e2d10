import { lazy, Suspense, useMemo, useState } from 'react';
import { Segmented } from '../../ui/controls/segmented.tsx';
import { usePreferences } from '../../ui/preferences/preferences.ts';
import { CodeView } from '../code-view.tsx';
import type { JsonValue, PayloadValue } from '../value/payload-value.ts';
import { readableJson } from '../value/readable-json.ts';
import { textLines } from '../value/text-lines.ts';
import { JsonView, type JsonViewProps } from './json-view.tsx';
import styles from './payload-block.module.css';

// The view is loaded on demand, because few payloads are binary.
const BytesView = lazy(async () => ({ default: (await import('./bytes-view.tsx')).BytesView }));

interface PayloadBodyProps extends Omit<JsonViewProps, 'value'> {
  readonly value: PayloadValue;
}

/** A whole decoded payload, displayed according to its encoding. */
export function PayloadBody({ value, folds, ...rest }: PayloadBodyProps) {
  switch (value.kind) {
    case 'empty':
      return <p className="t3">The payload is empty (binary/null).</p>;
    case 'json':
      return <JsonBody json={value} folds={folds} {...rest} />;
    case 'text':
      return <TextBody text={value.text} note={value.note} {...rest} />;
    default:
      return (
        <Suspense>
          <BytesView value={value} folds={folds} {...rest} />
        </Suspense>
      );
  }
}

interface JsonBodyProps extends Omit<JsonViewProps, 'value'> {
  readonly json: JsonValue;
}

const forms = [
  { value: 'text', text: 'Text' },
  { value: 'json', text: 'JSON' },
] as const;

/** JSON. Formats multi-line strings and JSON inside strings, unless the user chooses the original JSON. */
function JsonBody({ json, ...rest }: JsonBodyProps) {
  const readable = readableJson(json);
  const [form, setForm] = useState<'text' | 'json'>('text');
  if (readable === json.value) return <JsonView value={json.value} {...rest} />;
  return (
    <>
      <Segmented
        label="Form of the payload"
        className={styles['forms']}
        value={form}
        options={forms}
        onChange={setForm}
      />
      <JsonView key={form} value={form === 'text' ? readable : json.value} {...rest} />
    </>
  );
}

interface TextBodyProps extends Omit<PayloadBodyProps, 'value' | 'folds'> {
  readonly text: string;
  readonly note: string | undefined;
}

function TextBody({ text, note, ...rest }: TextBodyProps) {
  const lines = useMemo(() => textLines(text), [text]);
  const { wrap } = usePreferences();
  return (
    <>
      <CodeView count={lines.length} wrap={wrap} renderLine={(index) => lines[index]} {...rest} />
      {note ? <p className={styles['note']}>Shown as text: {note}.</p> : null}
    </>
  );
}
