import { escapeInText, type PayloadStub } from '@temporal-kms/codec-api';
import { type RefCallback, useCallback, useMemo, useState } from 'react';
import { CopyButton } from '../../components/copy-button.tsx';
import { formatBytes } from '../../model/format/number.ts';
import { jsonLines } from '../../model/json-lines.ts';
import { isEncrypted, keyBadges, reasonOf } from '../../model/keys.ts';
import { payloadLabel } from '../../model/payload-label.ts';
import { copyText, encodingOf, hexLine, type PayloadValue } from '../../model/payload-value.ts';
import { type PayloadView, useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import { RevealControl } from '../reveal/reveal-control.tsx';
import { CodeView, JsonLine } from './code-view.tsx';
import { KeyBadges } from './key-badges.tsx';
import { Mask } from './mask.tsx';
import styles from './payload-block.module.css';
import { ReasonNote } from './reason-note.tsx';

interface PayloadBlockProps {
  readonly stub: PayloadStub;
  readonly title?: string;
}

/** A payload in full, under its name, key and size. It is requested when it comes into view. */
export function PayloadBlock({ stub, title = payloadLabel(stub.path) }: PayloadBlockProps) {
  const [ref, inView] = useInView();
  const view = usePayload(stub.ref, stub, inView);
  const findings = useFindings();
  return (
    <section ref={ref} className={styles['block']} data-ref={stub.ref}>
      <header className={styles['head']}>
        <h3 className={styles['title']}>{title}</h3>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['kind']}>{kindOf(view, stub)}</span>
        <span className="spacer" />
        <RevealControl refs={[stub.ref]} title={title} />
        {view.status === 'readable' && view.value.kind !== 'empty' ? (
          <CopyButton what={title.toLowerCase()} text={() => copyText(view.value)} />
        ) : null}
      </header>
      <Content view={view} stub={stub} title={title} />
    </section>
  );
}

function Content({ view, stub, title }: PayloadBlockProps & { view: PayloadView; title: string }) {
  const findings = useFindings();
  switch (view.status) {
    case 'readable': {
      const warning = reasonOf(stub, findings);
      return (
        <>
          {warning ? <ReasonNote reason={warning} stub={stub} /> : null}
          <Body value={view.value} label={title} decrypted={isEncrypted(stub)} />
        </>
      );
    }
    case 'unreadable':
      return <ReasonNote reason={view.reason} stub={stub} detail={view.message} />;
    case 'failed':
      return <p className="t2">Not decoded: {view.message}</p>;
    default:
      return (
        <div className={styles['masked']}>
          <Mask bytes={stub.bytes} state={view.status} />
        </div>
      );
  }
}

/** `json, 362 B`: the encoding of the plaintext once it is known, and the stored size. */
function kindOf(view: PayloadView, stub: PayloadStub): string {
  const size = formatBytes(stub.bytes);
  if (view.status !== 'readable') return size;
  const encoding = encodingOf(view.payload);
  const short = encoding === 'json/plain' ? 'json' : encoding === 'binary/plain' ? 'bytes' : encoding;
  const type = view.value.kind === 'json' || view.value.kind === 'bytes' ? view.value.messageType : undefined;
  return [type ?? short, size].filter(Boolean).join(', ');
}

/** Returns a ref, and whether the element with the ref is in view or within 120 px of it. */
function useInView(): [RefCallback<Element>, boolean] {
  const [inView, setInView] = useState(false);
  const ref = useCallback((element: Element | null) => {
    if (!element) return undefined;
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.some((entry) => entry.isIntersecting)),
      { rootMargin: '120px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, inView];
}

/** More lines do not help to recognise a file, and they cost memory. */
const MAX_HEX_LINES = 4096;

/** A value in full, by the kind of its encoding. */
function Body({ value, label, decrypted }: { value: PayloadValue; label: string; decrypted: boolean }) {
  switch (value.kind) {
    case 'empty':
      return <p className="t3">The payload is empty (binary/null).</p>;
    case 'json':
      return <JsonBody value={value.value} label={label} decrypted={decrypted} />;
    case 'text':
      return <TextBody text={value.text} note={value.note} label={label} decrypted={decrypted} />;
    default:
      return <BytesBody bytes={value.bytes} label={label} decrypted={decrypted} />;
  }
}

function JsonBody({ value, label, decrypted }: { value: unknown; label: string; decrypted: boolean }) {
  const lines = useMemo(() => jsonLines(value), [value]);
  return (
    <CodeView
      count={lines.length}
      label={label}
      decrypted={decrypted}
      renderLine={(index) => <JsonLine tokens={lines[index] ?? []} />}
    />
  );
}

interface TextBodyProps {
  readonly text: string;
  readonly note?: string | undefined;
  readonly label: string;
  readonly decrypted: boolean;
}

function TextBody({ text, note, label, decrypted }: TextBodyProps) {
  const lines = useMemo(() => escapeInText(text).split('\n'), [text]);
  return (
    <>
      <CodeView
        count={lines.length}
        label={label}
        decrypted={decrypted}
        wrap
        renderLine={(index) => lines[index]}
      />
      {note ? <p className={styles['note']}>Shown as text: {note}.</p> : null}
    </>
  );
}

function BytesBody({ bytes, label, decrypted }: { bytes: Uint8Array; label: string; decrypted: boolean }) {
  const all = Math.ceil(bytes.length / 16);
  const count = Math.min(all, MAX_HEX_LINES);
  return (
    <>
      <CodeView
        count={count}
        label={label}
        decrypted={decrypted}
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
          These are the first {formatBytes(count * 16)} of {formatBytes(bytes.length)}.
        </p>
      ) : null}
    </>
  );
}
