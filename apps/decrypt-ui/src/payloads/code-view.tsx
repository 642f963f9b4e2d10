import { useVirtualizer } from '@tanstack/react-virtual';
import { clsx } from 'clsx';
import { type HTMLAttributes, type ReactNode, useEffect, useRef } from 'react';
import styles from './code-view.module.css';
import type { Line } from './value/json-text.ts';

/** Height of a line in CSS pixels; equals `line-height` in code-view.module.css. */
const LINE_HEIGHT = 18;
/** Up to this many lines, the whole text is in the document, so that the browser's search finds all lines. */
const MAX_PLAIN_LINES = 200;

interface CodeViewProps {
  readonly count: number;
  readonly renderLine: (index: number) => ReactNode;
  readonly label: string;
  /** Whether to mark the text as decrypted, with a cyan edge. */
  readonly decrypted?: boolean;
  readonly wrap?: boolean;
  /** Whether to fill the parent's height. */
  readonly fill?: boolean | undefined;
  /** The line to scroll into view. */
  readonly current?: number | undefined;
  /** Attributes of the scrolling element. These attributes override the defaults. */
  readonly scroller?: HTMLAttributes<HTMLDivElement>;
  readonly lineProps?: (index: number) => HTMLAttributes<HTMLDivElement>;
}

/** Lines of code in a frame. A long text scrolls inside the frame, which renders only the lines in view. */
export function CodeView({ decrypted = false, fill = false, ...lines }: CodeViewProps) {
  const Lines = lines.count > MAX_PLAIN_LINES ? LongLines : ShortLines;
  return (
    <div className={clsx(styles['well'], decrypted && styles['decrypted'], fill && styles['fill'])}>
      <Lines {...lines} />
    </div>
  );
}

type LinesProps = Omit<CodeViewProps, 'decrypted' | 'fill'>;

const scrollerProps = ({ label, scroller }: LinesProps) =>
  ({ role: 'group', tabIndex: 0, 'aria-label': label, ...scroller }) as const;

function ShortLines(props: LinesProps) {
  const { count, renderLine, wrap, current, lineProps } = props;
  const lines = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (current !== undefined) lines.current?.children[current]?.scrollIntoView({ block: 'nearest' });
  }, [current]);
  return (
    <div className={clsx(styles['scroll'], 'fades')} {...scrollerProps(props)}>
      <div ref={lines} className={wrap ? styles['wrap'] : styles['lines']} role="presentation">
        {Array.from({ length: count }, (_, index) => (
          <div key={index} {...lineProps?.(index)}>
            {renderLine(index)}
          </div>
        ))}
      </div>
    </div>
  );
}

function LongLines(props: LinesProps) {
  const { count, renderLine, wrap = false, current, lineProps } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
  });
  // Line heights change when lines start or stop wrapping.
  useEffect(() => virtual.measure(), [virtual, wrap]);
  useEffect(() => {
    if (current !== undefined) virtual.scrollToIndex(current);
  }, [virtual, current]);
  return (
    <div ref={scroller} className={clsx(styles['scroll'], styles['long'])} {...scrollerProps(props)}>
      <div
        className={wrap ? styles['wrap'] : styles['lines']}
        style={{ height: virtual.getTotalSize() }}
        role="presentation"
      >
        {virtual.getVirtualItems().map(({ index, start }) => {
          const { style, className, ...rest } = lineProps?.(index) ?? {};
          return (
            <div
              key={index}
              ref={wrap ? virtual.measureElement : undefined}
              data-index={index}
              className={clsx(styles['line'], className)}
              style={{ ...style, top: start }}
              {...rest}
            >
              {renderLine(index)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** A line of formatted JSON. */
export function JsonLine({ tokens }: { tokens: Line }) {
  return tokens.map((token, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- the order of a line's tokens never changes
    <span key={index} className={styles[token.kind]}>
      {token.text}
    </span>
  ));
}
