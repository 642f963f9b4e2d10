import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useRef } from 'react';
import styles from './lines-view.module.css';

const LINE = 18;
/** Up to here all lines stand in the document, so that the browser's own search finds them. */
const PLAIN = 200;

interface LinesViewProps {
  readonly count: number;
  readonly renderLine: (index: number) => ReactNode;
  readonly label: string;
  /** Revealed plaintext carries the cyan edge. */
  readonly revealed?: boolean;
  readonly wrap?: boolean;
}

/** Lines of code in a well. Long ones scroll within it, and only those in view are drawn. */
export function LinesView({ count, renderLine, label, revealed = false, wrap = false }: LinesViewProps) {
  const className = `${styles['well']} ${revealed ? styles['revealed'] : ''}`;
  if (count > PLAIN)
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

type LongLinesProps = Pick<LinesViewProps, 'count' | 'renderLine' | 'label'> & { readonly className: string };

function LongLines({ className, count, renderLine, label }: LongLinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 20,
  });
  return (
    <div className={className}>
      <div
        ref={scroller}
        className={`${styles['scroll']} ${styles['long']}`}
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
