import type { Virtualizer } from '@tanstack/react-virtual';
import { type RefObject, useCallback, useEffect, useState } from 'react';
import { useRun } from './run-context.tsx';
import type { HistoryView } from './use-history-view.ts';

interface NewEventsInput {
  readonly view: HistoryView;
  readonly virtual: Virtualizer<HTMLDivElement, Element>;
  readonly scroller: RefObject<HTMLDivElement | null>;
}

export interface NewEvents {
  /** Events below what is in view that came since the end was last in view. */
  readonly count: number;
  readonly following: boolean;
  readonly show: () => void;
  readonly toggleFollowing: () => void;
}

/** New rows are added below, and nothing moves by itself; whoever wants to see them come follows. */
export function useNewEvents({ view, virtual, scroller }: NewEventsInput): NewEvents {
  const { follow, description } = useRun();
  const total = follow.history.events.length;
  const [seen, setSeen] = useState(0);
  const [following, setFollowing] = useState(false);
  const last = view.rows.length - 1;
  // What was there when the page was opened isn't new.
  const [initial] = useState(description.workflow.historyLength);

  const end = virtual.range?.endIndex ?? -1;
  const atEnd = end >= last;
  if (atEnd && seen !== total) setSeen(total);

  useEffect(() => {
    if (following && last >= 0) virtual.scrollToIndex(last, { align: 'end' });
  }, [following, last, virtual]);

  // Scrolling by hand ends it.
  useEffect(() => {
    const element = scroller.current;
    if (!following || !element) return undefined;
    const stop = () => setFollowing(false);
    element.addEventListener('wheel', stop, { passive: true });
    element.addEventListener('touchmove', stop, { passive: true });
    return () => {
      element.removeEventListener('wheel', stop);
      element.removeEventListener('touchmove', stop);
    };
  }, [following, scroller]);

  const show = useCallback(() => {
    virtual.scrollToIndex(last, { align: 'end' });
    setSeen(total);
  }, [virtual, last, total]);

  const count = following || atEnd ? 0 : Math.max(total - Math.max(seen, initial), 0);
  return { count, following, show, toggleFollowing: () => setFollowing((on) => !on) };
}
