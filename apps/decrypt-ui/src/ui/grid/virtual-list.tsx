import { useVirtualizer } from '@tanstack/react-virtual';
import { clsx } from 'clsx';
import { type ReactNode, useEffect, useLayoutEffect, useRef } from 'react';
import styles from './virtual-list.module.css';

interface VirtualListProps {
  readonly count: number;
  /** The height of each item in CSS pixels. */
  readonly itemHeight: number;
  /** The item that the list scrolls to. */
  readonly current?: number | undefined;
  readonly label?: string;
  readonly className?: string | undefined;
  readonly renderItem: (index: number) => ReactNode;
}

/** A scrolling list that renders only the items in view. */
export function VirtualList({ count, itemHeight, current, label, className, renderItem }: VirtualListProps) {
  const scroller = useRef<HTMLUListElement>(null);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => itemHeight,
    overscan: 6,
  });
  // Items are taller in a narrow window, so their positions change when the window is resized or a phone is rotated.
  useLayoutEffect(() => virtual.measure(), [itemHeight, virtual]);
  useEffect(() => {
    if (current !== undefined) virtual.scrollToIndex(current);
  }, [current, virtual]);
  return (
    <ul ref={scroller} className={clsx(styles['list'], className)} aria-label={label}>
      <li aria-hidden="true" style={{ height: virtual.getTotalSize() }} />
      {virtual.getVirtualItems().map(({ index, start }) => (
        <li
          key={index}
          className={styles['item']}
          style={{ translate: `0 ${start}px`, height: itemHeight }}
          data-item={index}
        >
          {renderItem(index)}
        </li>
      ))}
    </ul>
  );
}
