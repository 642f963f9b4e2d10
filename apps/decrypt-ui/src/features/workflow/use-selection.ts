import { useCallback, useEffect, useRef, useState } from 'react';

export interface Selection {
  readonly ev: number | undefined;
  /** The event itself although it heads a group. */
  readonly one: boolean;
}

/** Browsers refuse more than some hundred history entries in a few seconds, and a held key makes thirty a second. */
const COMMIT_AFTER = 150;

/**
 * The selected event. The page follows at once, the address shortly after; an address that changes on its own (back,
 * a link) wins.
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
