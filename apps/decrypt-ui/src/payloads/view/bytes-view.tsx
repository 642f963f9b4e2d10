import { useEffect, useMemo, useRef, useState } from 'react';
import { Segmented } from '../../ui/controls/segmented.tsx';
import { formatBytes } from '../../ui/format/number.ts';
import { useSize } from '../../ui/use-size.ts';
import { CodeView } from '../code-view.tsx';
import { hexLine } from '../value/hex.ts';
import { type Media, mediaOf } from '../value/media-type.ts';
import type { PayloadValue } from '../value/payload-value.ts';
import { protobufValue } from '../value/protobuf-value.ts';
import styles from './bytes-view.module.css';
import { JsonView, type JsonViewProps } from './json-view.tsx';
import block from './payload-block.module.css';

type Bytes = Extract<PayloadValue, { kind: 'bytes' }>;
type Form = 'fields' | 'picture' | 'bytes';

const texts: Readonly<Record<Form, string>> = { fields: 'Fields', picture: 'Picture', bytes: 'Bytes' };

interface BytesViewProps extends Omit<JsonViewProps, 'value'> {
  readonly value: Bytes;
}

/** A binary payload, shown as a protobuf message's fields, as a picture if the user requests it, or as bytes. */
export function BytesView({ value, folds, ...rest }: BytesViewProps) {
  const { bytes, protobuf, messageType } = value;
  const fields = useMemo(() => (protobuf ? protobufValue(bytes) : undefined), [bytes, protobuf]);
  const media = useMemo(() => mediaOf(bytes), [bytes]);
  const forms: readonly Form[] = [
    ...(fields ? (['fields'] as const) : []),
    'bytes',
    ...(media?.kind === 'picture' ? (['picture'] as const) : []),
  ];
  // Draws a picture only if the user requests it.
  const [chosen, setChosen] = useState<Form>();
  const form = chosen && forms.includes(chosen) ? chosen : (forms[0] ?? 'bytes');
  return (
    <>
      {forms.length > 1 ? (
        <Segmented
          label="Form of the payload"
          className={block['forms']}
          value={form}
          options={forms.map((each) => ({ value: each, text: texts[each] }))}
          onChange={setChosen}
        />
      ) : null}
      {form === 'fields' ? (
        <JsonView value={fields} folds={folds} {...rest} />
      ) : form === 'picture' && media ? (
        <Picture bytes={bytes} media={media} label={rest.label} />
      ) : (
        <Hex bytes={bytes} {...rest} />
      )}
      <p className={block['note']}>{noteOf(form, bytes, media, messageType)}</p>
    </>
  );
}

function noteOf(form: Form, bytes: Uint8Array, media: Media | undefined, type: string | undefined): string {
  const size = formatBytes(bytes.length);
  if (form === 'fields')
    return `Fields by number. Their names are in the descriptor of ${type ?? 'the message'}, which the page does not have.`;
  if (form === 'picture') return `${media?.name ?? 'Picture'}, ${size}, drawn from the decrypted bytes.`;
  const shown = MAX_HEX_BYTES;
  const part = bytes.length > shown ? `the first ${formatBytes(shown)} of ${size}` : size;
  return media?.kind === 'document' ? `${media.name}, ${part}. Save it to read it.` : `Bytes: ${part}.`;
}

/** Maximum number of bytes in the hex dump: more bytes cost memory and do not help to recognise a file. */
const MAX_HEX_BYTES = 65_536;
/** Width of a line with sixteen bytes, in CSS pixels. */
const WIDE = 560;

function Hex({ bytes, ...rest }: Omit<JsonViewProps, 'value'> & { bytes: Uint8Array }) {
  const [ref, { width }] = useSize();
  const perLine = width < WIDE ? 8 : 16;
  return (
    <div ref={ref} className={styles['hex']}>
      <CodeView
        count={Math.ceil(Math.min(bytes.length, MAX_HEX_BYTES) / perLine)}
        {...rest}
        renderLine={(index) => {
          const { offset, hex, ascii } = hexLine(bytes, index, perLine);
          return (
            <>
              <span className="t3">{offset}</span>
              {`  ${hex.padEnd(perLine * 3)}  `}
              <span className="t2">{ascii}</span>
            </>
          );
        }}
      />
    </div>
  );
}

/** Maximum size of a picture in pixels. Larger pictures take too much memory when decompressed. */
const MAX_PIXELS = 40_000_000;

/**
 * A picture on a canvas. The browser decodes the bytes in memory without a URL, so the content security policy needs
 * no `blob:`, and the pixels are freed with the element.
 */
function Picture({ bytes, media, label }: { bytes: Uint8Array<ArrayBuffer>; media: Media; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    let left = false;
    void draw(bytes, media.type, () => (left ? null : canvas.current)).then(
      (found) => left || setProblem(found),
    );
    return () => {
      left = true;
    };
  }, [bytes, media]);
  return (
    <div className={styles['picture']}>
      {problem === undefined ? (
        <canvas ref={canvas} role="img" aria-label={`${label}, ${media.name} picture`} />
      ) : (
        <p role="alert">{problem}</p>
      )}
    </div>
  );
}

/** Draws a picture. Returns the reason if drawing fails. */
async function draw(
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
  target: () => HTMLCanvasElement | null,
): Promise<string | undefined> {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes], { type }));
    const canvas = target();
    if (canvas && bitmap.width * bitmap.height <= MAX_PIXELS) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
      canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap);
    }
    const large = bitmap.width * bitmap.height > MAX_PIXELS;
    bitmap.close();
    return large ? 'The picture is too large to draw. Save it to look at it.' : undefined;
  } catch {
    return 'The browser cannot draw this picture: it is damaged, or the browser does not support its format. Save it to look at it.';
  }
}
