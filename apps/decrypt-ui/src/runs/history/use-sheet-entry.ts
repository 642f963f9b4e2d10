import { useRouter } from '@tanstack/react-router';
import { useRef } from 'react';
import { SHEET_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import type { WorkflowSearch } from '../run-params.ts';
import type { Selection } from './use-selection.ts';

type Change = (search: Partial<WorkflowSearch>, replace?: boolean) => void;

/** Every parameter of a run's address. */
const none: WorkflowSearch = {
  tab: undefined,
  ev: undefined,
  one: undefined,
  io: undefined,
  pane: undefined,
  view: undefined,
  tasks: undefined,
  idle: undefined,
  from: undefined,
  to: undefined,
};

/**
 * Returns a function that writes a selection into the address. On narrow screens, where the inspector is a sheet, a
 * selection that opens it adds an entry to the browser's history, so that Back closes the sheet. When the reader closes the
 * sheet otherwise, the entry is taken away, so that Back leaves the run.
 */
export function useSheetEntry(search: WorkflowSearch, change: Change): (selection: Selection) => void {
  const sheet = useNarrowerThan(SHEET_BELOW);
  const { history } = useRouter();
  /** The place in the browser's history of the entry that was added. */
  const added = useRef<number>(undefined);

  return ({ ev, one }) => {
    const part = { ev, one: one || undefined };
    const { __TSR_index: place } = history.location.state;
    if (sheet && search.ev === undefined && ev !== undefined) {
      added.current = place + 1;
      change(part, false);
    } else if (ev === undefined && search.ev !== undefined && place === added.current) {
      added.current = undefined;
      // The entry before has the parameters of that time. The reader may have changed some since then.
      const stop = history.subscribe(() => {
        stop();
        change({ ...none, ...search, ...part });
      });
      history.back();
    } else {
      change(part);
    }
  };
}
