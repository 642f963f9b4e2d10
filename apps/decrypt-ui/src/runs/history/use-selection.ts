import { useCallback, useEffect, useRef, useState } from 'react';

export interface Selection {
  /** The id of the selected event. The id of a group's first event selects the group, unless `one` is true. */
  readonly ev: number | undefined;
  /** Whether a group's first event is selected instead of the group. */
  readonly one: boolean;
}

/**
 * Milliseconds until a new selection is written to the address. Browsers limit how often a page may change its address,
 * and holding a key down changes the selection 30 times per second.
 */
const COMMIT_AFTER = 150;

/**
 * Returns the selected event. A new selection changes the page immediately and the address shortly after.
 * When the address changes for another reason (Back, a link), the selection changes too.
 */
export function useSelection(address: Selection, commit: (selection: Selection) => void) {
  const [selection, setSelection] = useState(address);
  const written = useRef(address);
  const latest = useRef(commit);
  useEffect(() => {
    latest.current = commit;
  });

  useEffect(() => {
    const { ev, one } = written.current;
    if (ev === address.ev && one === address.one) return;
    written.current = { ev: address.ev, one: address.one };
    setSelection({ ev: address.ev, one: address.one });
  }, [address.ev, address.one]);

  useEffect(() => {
    const { ev, one } = written.current;
    if (ev === selection.ev && one === selection.one) return undefined;
    const timer = setTimeout(() => {
      written.current = selection;
      latest.current(selection);
    }, COMMIT_AFTER);
    return () => clearTimeout(timer);
  }, [selection]);

  const select = useCallback(
    (ev: number | undefined, one = false) => setSelection({ ev, one: ev === undefined ? false : one }),
    [],
  );
  return [selection, select] as const;
}
