import { useRouter } from '@tanstack/react-router';
import { useRef } from 'react';
import { SHEET_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { type WorkflowSearch, workflowSearch } from '../run-params.ts';
import type { Selection } from './use-selection.ts';

type Change = (search: Partial<WorkflowSearch>, replace?: boolean) => void;

/** Every parameter of a run's address, set to undefined. */
const none = Object.fromEntries(Object.keys(workflowSearch.shape).map((name) => [name, undefined]));

/**
 * Returns a function that writes a selection to the address. On narrow screens, where the inspector is a
 * sheet, opening the sheet adds an entry to the browser's history, so that Back closes the sheet. If the
 * user closes the sheet in another way, the entry is removed, so that Back leaves the run.
 */
export function useSheetEntry(search: WorkflowSearch, change: Change): (selection: Selection) => void {
  const sheet = useNarrowerThan(SHEET_BELOW);
  const { history } = useRouter();
  /** The index of the added entry in the browser's history. */
  const added = useRef<number>(undefined);

  return ({ ev, one }) => {
    const part = { ev, one: one || undefined };
    const { __TSR_index: place } = history.location.state;
    if (sheet && search.ev === undefined && ev !== undefined) {
      added.current = place + 1;
      change(part, false);
    } else if (ev === undefined && search.ev !== undefined && place === added.current) {
      added.current = undefined;
      // The previous entry has the parameters from before the sheet opened. The user may have changed some
      // parameters while the sheet was open.
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
