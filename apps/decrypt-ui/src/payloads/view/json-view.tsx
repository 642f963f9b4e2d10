import { clsx } from 'clsx';
import { ChevronRight } from 'lucide-react';
import { type KeyboardEvent, useId, useMemo, useState } from 'react';
import { usePreferences } from '../../ui/preferences/preferences.ts';
import { CodeView, JsonLine } from '../code-view.tsx';
import {
  type JsonFolds,
  type JsonRow,
  jsonRows,
  memberCount,
  nextRow,
  parentRow,
  rowTokens,
  unfolded,
} from '../value/json-tree.ts';
import styles from './json-view.module.css';

export interface JsonViewProps {
  readonly value: unknown;
  readonly label: string;
  readonly decrypted: boolean;
  /** Whether to fill the parent's height. */
  readonly fill?: boolean | undefined;
  /** The initial folds. A new object resets the folds that the user chose. */
  readonly folds?: JsonFolds | undefined;
}

/**
 * JSON as a tree whose objects and arrays can be folded. The tree is one tab stop, and arrow keys move inside
 * it.
 */
export function JsonView({ value, label, decrypted, fill, folds = unfolded }: JsonViewProps) {
  const [own, setOwn] = useState({ folds, from: folds });
  const current = own.from === folds ? own.folds : folds;
  const rows = useMemo(() => jsonRows(value, current), [value, current]);
  const [position, setActive] = useState<number>();
  // After "Fold all", there may be fewer lines, or a different line at the active position.
  const at = Math.min(position ?? -1, rows.length - 1);
  const active = at < 0 ? undefined : rows[at]?.kind === 'close' ? nextRow(rows, at, -1) : at;
  const { wrap } = usePreferences();
  const id = useId();

  function toggle(row: JsonRow | undefined, open: boolean) {
    if (row?.kind !== (open ? 'folded' : 'open')) return false;
    setOwn({ from: folds, folds: { ...current, chosen: new Map(current.chosen).set(row.value, open) } });
    return true;
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = active ?? -1;
    const row = rows[from];
    const moves: Readonly<Record<string, () => number>> = {
      ArrowDown: () => nextRow(rows, from, 1),
      ArrowUp: () => nextRow(rows, from, -1),
      Home: () => 0,
      End: () => nextRow(rows, rows.length, -1),
      ArrowRight: () => (toggle(row, true) ? from : row?.kind === 'open' ? nextRow(rows, from, 1) : from),
      ArrowLeft: () => (toggle(row, false) ? from : parentRow(rows, from)),
    };
    const next = moves[event.key]?.();
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setActive(Math.max(next, 0));
  }

  function lineProps(index: number) {
    const row = rows[index];
    if (!row) return {};
    const { kind, depth } = row;
    const canFold = kind === 'open' || kind === 'folded';
    return {
      id: `${id}${index}`,
      className: clsx(styles['line'], canFold && styles['folds'], index === active && styles['active']),
      // Aligns wrapped lines with the beginning of the text.
      style: wrap ? { paddingLeft: `${2 * depth + 2}ch`, textIndent: `-${2 * depth + 2}ch` } : {},
      ...(kind === 'close'
        ? { role: 'presentation' }
        : {
            role: 'treeitem',
            'aria-level': depth + 1,
            'aria-selected': index === active,
            ...(canFold && { 'aria-expanded': kind === 'open' }),
          }),
      onClick: () => {
        // A click that ends a text selection must not fold an object or array.
        if (getSelection()?.isCollapsed === false) return;
        setActive(index);
        toggle(row, kind === 'folded');
      },
    };
  }

  return (
    <CodeView
      count={rows.length}
      label={label}
      decrypted={decrypted}
      wrap={wrap}
      fill={fill}
      current={active}
      scroller={{
        role: 'tree',
        onKeyDown,
        ...(active !== undefined && { 'aria-activedescendant': `${id}${active}` }),
      }}
      lineProps={lineProps}
      renderLine={(index) => {
        const row = rows[index];
        if (!row) return null;
        return (
          <>
            {row.kind === 'open' || row.kind === 'folded' ? (
              <ChevronRight size={12} aria-hidden="true" className={styles['chevron']} />
            ) : null}
            <JsonLine tokens={rowTokens(row)} />
            {row.kind === 'folded' ? <span className={styles['count']}>{memberCount(row)}</span> : null}
          </>
        );
      }}
    />
  );
}
