import { escapeInText } from '@temporal-kms/codec-api';
import { useMemo } from 'react';
import { formatBytes } from '../../model/format/number.ts';
import { jsonLines } from '../../model/json-lines.ts';
import { hexLine, type PayloadValue } from '../../model/payload-value.ts';
import { JsonTokens } from './json-tokens.tsx';
import { LinesView } from './lines-view.tsx';
import styles from './payload-body.module.css';

/** Enough to see what it is; the rest is for a file. */
const MAX_HEX_LINES = 4096;

/** An open payload in full, by its encoding. */
export function PayloadBody({
  value,
  label,
  revealed,
}: {
  value: PayloadValue;
  label: string;
  revealed: boolean;
}) {
  switch (value.kind) {
    case 'empty':
      return <p className="t3">Nothing was sent: no payload, or binary/null.</p>;
    case 'json':
      return <JsonBody value={value.value} label={label} revealed={revealed} />;
    case 'text':
      return <TextBody text={value.text} note={value.note} label={label} revealed={revealed} />;
    default:
      return <BytesBody bytes={value.bytes} label={label} revealed={revealed} />;
  }
}

function JsonBody({ value, label, revealed }: { value: unknown; label: string; revealed: boolean }) {
  const lines = useMemo(() => jsonLines(value), [value]);
  return (
    <LinesView
      count={lines.length}
      label={label}
      revealed={revealed}
      renderLine={(index) => <JsonTokens tokens={lines[index] ?? []} />}
    />
  );
}

interface TextBodyProps {
  readonly text: string;
  readonly note?: string | undefined;
  readonly label: string;
  readonly revealed: boolean;
}

function TextBody({ text, note, label, revealed }: TextBodyProps) {
  const lines = useMemo(() => escapeInText(text).split('\n'), [text]);
  return (
    <>
      <LinesView
        count={lines.length}
        label={label}
        revealed={revealed}
        wrap
        renderLine={(index) => lines[index]}
      />
      {note ? <p className={styles['note']}>Shown as text: {note}.</p> : null}
    </>
  );
}

function BytesBody({ bytes, label, revealed }: { bytes: Uint8Array; label: string; revealed: boolean }) {
  const all = Math.ceil(bytes.length / 16);
  const count = Math.min(all, MAX_HEX_LINES);
  return (
    <>
      <LinesView
        count={count}
        label={label}
        revealed={revealed}
        renderLine={(index) => {
          const { offset, hex, ascii } = hexLine(bytes, index);
          return (
            <>
              <span className="t3">{offset}</span>
              {`  ${hex.padEnd(48)}  `}
              <span className="t2">{ascii}</span>
            </>
          );
        }}
      />
      {all > count ? (
        <p className={styles['note']}>
          The first {formatBytes(count * 16)} of {formatBytes(bytes.length)}.
        </p>
      ) : null}
    </>
  );
}
