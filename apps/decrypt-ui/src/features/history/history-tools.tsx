import { ArrowDown, ArrowUp, Search, Settings2 } from 'lucide-react';
import { type RefObject, useRef } from 'react';
import { Button } from '../../components/button.tsx';
import { DensityChoice } from '../../components/density.tsx';
import { Kbd } from '../../components/kbd.tsx';
import { Menu, MenuLine, MenuToggle } from '../../components/menu.tsx';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import type { Row } from '../../model/rows.ts';
import { useRun } from '../../run/run-context.tsx';
import { type CommandId, firstKey, tip } from '../../commands/commands.ts';
import { useCommands } from '../../commands/registry.ts';
import styles from './history-tools.module.css';
import { type HistoryView, isFailedRow, isPendingRow } from './use-history-view.ts';

/** The tools in the bar of the History tab: find, rows, counters and view options. */
export function HistoryTools({ view }: { view: HistoryView }) {
  const { open } = useRun();
  const field = useRef<HTMLInputElement>(null);
  const { counts } = view;

  /** Selects the next matching row after the active one. The search wraps around. */
  function jump(matches: (row: Row) => boolean, backwards: boolean) {
    const { rows } = view;
    const start = rows.findIndex((row) => row.key === view.focus.active);
    for (let step = 1; step <= rows.length; step += 1) {
      const index = (start + (backwards ? -step : step) + 2 * rows.length) % rows.length;
      const row = rows[index];
      if (!row || !matches(row)) continue;
      view.selectRow(row);
      view.focus.go(row.key);
      return;
    }
  }
  const toFailed = (backwards: boolean) => jump(isFailedRow, backwards);
  const toPending = (backwards: boolean) => jump((row) => isPendingRow(row, open, view.pending), backwards);
  const toMatch = (backwards: boolean) => jump((row) => view.matches?.has(row.key) ?? false, backwards);

  useCommands({
    find: () => field.current?.focus(),
    'failed.next': () => toFailed(false),
    'failed.previous': () => toFailed(true),
    'pending.next': () => toPending(false),
    'pending.previous': () => toPending(true),
    'match.next': () => toMatch(false),
    'match.previous': () => toMatch(true),
    'view.groups': () => view.change({ view: view.view === 'all' ? undefined : 'all' }),
    'view.idle': () => view.change({ idle: view.idle ? false : undefined }),
    'groups.collapse': view.collapseAll,
    'groups.expand': view.expandAll,
  });

  return (
    <>
      <span className="spacer" />
      <Find view={view} field={field} onJump={toMatch} />
      <ViewSwitch view={view} />
      <Counter command="failed.next" outcome="failed" count={counts.failed} onJump={toFailed} />
      <Counter command="pending.next" outcome="pending" count={counts.pending} onJump={toPending} />
      <ViewMenu view={view} />
    </>
  );
}

/** Chooses between rows for groups and rows for all events. */
function ViewSwitch({ view }: { view: HistoryView }) {
  const options = [
    { value: 'groups', text: 'Groups' },
    { value: 'all', text: 'All' },
  ] as const;
  return (
    <div className={styles['segmented']} role="group" aria-label="Rows">
      {options.map(({ value, text }) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === view.view}
          onClick={() => view.change({ view: value === 'all' ? 'all' : undefined })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

interface CounterProps {
  readonly command: CommandId;
  readonly outcome: 'failed' | 'pending';
  readonly count: number;
  readonly onJump: (backwards: boolean) => void;
}

/** How many groups have an outcome. A click selects the next of them, a click with Shift the previous. */
function Counter({ command, outcome, count, onJump }: CounterProps) {
  return (
    <Button
      look="ghost"
      className={styles['counter']}
      disabled={count === 0}
      {...tip(command)}
      aria-label={`${count} ${outcome}, go to the next`}
      onClick={(event) => onJump(event.shiftKey)}
    >
      <OutcomeGlyph outcome={count === 0 ? 'neutral' : outcome} />
      {count}
    </Button>
  );
}

interface FindProps {
  readonly view: HistoryView;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly onJump: (backwards: boolean) => void;
}

function Find({ view, field, onJump }: FindProps) {
  const { matches, term, setTerm } = view;
  return (
    <div className={styles['find']} role="search" data-active={term ? '' : undefined}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={field}
        aria-label="Find in names, types and ids"
        title="Finds names, types, ids and workers. Does not search payloads."
        placeholder="Find"
        spellCheck={false}
        autoComplete="off"
        value={term}
        onChange={(event) => setTerm(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onJump(event.shiftKey);
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
          <button type="button" aria-label="Previous match" onClick={() => onJump(true)}>
            <ArrowUp size={12} />
          </button>
          <button type="button" aria-label="Next match" onClick={() => onJump(false)}>
            <ArrowDown size={12} />
          </button>
        </>
      ) : (
        <Kbd>{firstKey('find')}</Kbd>
      )}
    </div>
  );
}

function ViewMenu({ view }: { view: HistoryView }) {
  return (
    <Menu label="View options" trigger={<Settings2 size={14} />} icon align="end">
      <MenuToggle
        checked={view.idle}
        note={firstKey('view.idle')}
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
