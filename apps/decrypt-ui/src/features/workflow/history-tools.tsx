import { ArrowDown, ArrowUp, Search, Settings2 } from 'lucide-react';
import { type RefObject, useRef } from 'react';
import { Button } from '../../components/button.tsx';
import { OutcomeGlyph } from '../../components/glyphs.tsx';
import { Kbd } from '../../components/kbd.tsx';
import { Menu, MenuLine, MenuToggle } from '../../components/menu.tsx';
import { Segmented } from '../../components/segmented.tsx';
import { useHotkeys } from '../../components/use-hotkeys.ts';
import { DensityChoice } from '../shell/density-choice.tsx';
import styles from './history-tools.module.css';
import { useRun } from './run-context.tsx';
import { type HistoryView, isFailedRow, isPendingRow } from './use-history-view.ts';

export function HistoryTools({ view }: { view: HistoryView }) {
  const { open } = useRun();
  const field = useRef<HTMLInputElement>(null);
  const { counts } = view;

  /** The next row after the active one that fits, from the top again after the last. */
  function jump(fits: (row: HistoryView['rows'][number]) => boolean, backwards = false) {
    const { rows } = view;
    const start = rows.findIndex((row) => row.key === view.active);
    for (let step = 1; step <= rows.length; step += 1) {
      const index = (start + (backwards ? -step : step) + 2 * rows.length) % rows.length;
      const row = rows[index];
      if (!row || !fits(row)) continue;
      view.selectRow(row);
      view.go(row.key);
      return;
    }
  }
  const failed = (event: { shiftKey: boolean }) => jump(isFailedRow, event.shiftKey);
  const pending = (event: { shiftKey: boolean }) =>
    jump((row) => isPendingRow(row, open, view.pending), event.shiftKey);
  const match = (event: { shiftKey: boolean }) =>
    jump((row) => view.matches?.has(row.key) ?? false, event.shiftKey);

  useHotkeys({
    '/': () => field.current?.focus(),
    e: failed,
    p: pending,
    n: match,
    g: () => view.change({ view: view.view === 'all' ? undefined : 'all' }),
    z: () => view.change({ idle: view.idle ? false : undefined }),
    '[': view.collapseAll,
    ']': view.expandAll,
  });

  return (
    <>
      <span className="spacer" />
      <Find view={view} field={field} onNext={match} />
      <Segmented
        label="Rows"
        value={view.view}
        options={[
          { value: 'groups', text: 'Groups' },
          { value: 'all', text: 'All' },
        ]}
        onChange={(next) => view.change({ view: next === 'all' ? 'all' : undefined })}
      />
      <Counter label="failed" shortcut="E" outcome="failed" count={counts.failed} onJump={failed} />
      <Counter label="pending" shortcut="P" outcome="pending" count={counts.pending} onJump={pending} />
      <ViewMenu view={view} />
    </>
  );
}

interface CounterProps {
  readonly label: string;
  readonly shortcut: string;
  readonly outcome: 'failed' | 'pending';
  readonly count: number;
  readonly onJump: (event: { shiftKey: boolean }) => void;
}

function Counter({ label, shortcut, outcome, count, onJump }: CounterProps) {
  return (
    <Button
      look="ghost"
      className={styles['counter']}
      disabled={count === 0}
      title={`Next ${label}: ${shortcut}`}
      aria-label={`${count} ${label}, go to the next`}
      onClick={onJump}
    >
      <OutcomeGlyph outcome={count === 0 ? 'neutral' : outcome} />
      {count}
    </Button>
  );
}

interface FindProps {
  readonly view: HistoryView;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly onNext: (event: { shiftKey: boolean }) => void;
}

function Find({ view, field, onNext }: FindProps) {
  const { matches, term, setTerm } = view;
  return (
    <div className={styles['find']} role="search" data-active={term ? '' : undefined}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={field}
        aria-label="Find in names, types and ids"
        title="Finds names, types, ids and workers. Payloads aren’t searched."
        placeholder="Find"
        spellCheck={false}
        autoComplete="off"
        value={term}
        onChange={(event) => setTerm(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onNext(event);
          if (event.key !== 'Escape') return;
          setTerm('');
          event.currentTarget.blur();
        }}
      />
      {matches ? (
        <>
          <span className={styles['hits']} role="status">
            {matches.size}
          </span>
          <button type="button" aria-label="Previous match" onClick={() => onNext({ shiftKey: true })}>
            <ArrowUp size={12} />
          </button>
          <button type="button" aria-label="Next match" onClick={() => onNext({ shiftKey: false })}>
            <ArrowDown size={12} />
          </button>
        </>
      ) : (
        <Kbd>/</Kbd>
      )}
    </div>
  );
}

function ViewMenu({ view }: { view: HistoryView }) {
  return (
    <Menu label="View options" trigger={<Settings2 size={14} />} icon align="end">
      <MenuToggle
        checked={view.idle}
        note="Z"
        onChange={(checked) => view.change({ idle: checked ? undefined : false })}
      >
        Collapse idle time
      </MenuToggle>
      <MenuToggle checked={view.tasks} onChange={(checked) => view.change({ tasks: checked || undefined })}>
        Workflow tasks
      </MenuToggle>
      <MenuLine />
      <DensityChoice title="Rows" />
    </Menu>
  );
}
