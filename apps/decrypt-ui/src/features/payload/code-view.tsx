import { useVirtualizer } from '@tanstack/react-virtual';
import { clsx } from 'clsx';
import { type ReactNode, useRef } from 'react';
import type { Line } from '../../model/json-lines.ts';
import styles from './code-view.module.css';

/** Height of a line in CSS pixels; `line-height` of code-view.module.css. */
const LINE_HEIGHT = 18;
/** Up to this many lines are all in the document, so that the browser's search finds them. */
const MAX_PLAIN_LINES = 200;

interface CodeViewProps {
  readonly count: number;
  readonly renderLine: (index: number) => ReactNode;
  readonly label: string;
  /** Marks decrypted text with the cyan edge. */
  readonly decrypted?: boolean;
  readonly wrap?: boolean;
}

/** Lines of code in a frame. A long text scrolls within the frame, and only its lines in view are drawn. */
export function CodeView({ count, renderLine, label, decrypted = false, wrap = false }: CodeViewProps) {
  const className = clsx(styles['well'], decrypted && styles['decrypted']);
  if (count > MAX_PLAIN_LINES)
    return <LongLines className={className} count={count} renderLine={renderLine} label={label} />;
  return (
    <div className={className}>
      <div className={styles['scroll']} role="group" aria-label={label} tabIndex={0}>
        <div className={wrap ? styles['wrap'] : styles['lines']}>
          {Array.from({ length: count }, (_, index) => (
            <div key={index}>{renderLine(index)}</div>
          ))}
        </div>
      </div>
    </div>
  );
}

type LongLinesProps = Pick<CodeViewProps, 'count' | 'renderLine' | 'label'> & { readonly className: string };

function LongLines({ className, count, renderLine, label }: LongLinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
  });
  return (
    <div className={className}>
      <div
        ref={scroller}
        className={clsx(styles['scroll'], styles['long'])}
        role="group"
        aria-label={label}
        tabIndex={0}
      >
        <div className={styles['lines']} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <div key={index} className={styles['line']} style={{ top: start }}>
              {renderLine(index)}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** A line of laid-out JSON. */
export function JsonLine({ tokens }: { tokens: Line }) {
  return tokens.map((token, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- the tokens of a line never move
    <span key={index} className={styles[token.kind]}>
      {token.text}
    </span>
  ));
}
