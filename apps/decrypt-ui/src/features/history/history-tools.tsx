import { ArrowDown, ArrowUp, Search, Settings2 } from 'lucide-react';
import { type RefObject, useRef } from 'react';
import { Button } from '../../components/button.tsx';
import { DensityChoice } from '../../components/density.tsx';
import { Kbd } from '../../components/kbd.tsx';
import { Menu, MenuLine, MenuToggle } from '../../components/menu.tsx';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import type { Row } from '../../model/rows.ts';
import { useFind, useRun } from '../../run/run-context.tsx';
import { type CommandId, firstKey, tip } from '../../commands/commands.ts';
import { useCommands } from '../../commands/registry.ts';
import styles from './history-tools.module.css';
import { type HistoryView, isFailedRow, isPendingRow, nextRow } from './use-history-view.ts';

/** The tools in the bar of the History tab: find, rows, counters and view options. */
export function HistoryTools({ view }: { view: HistoryView }) {
  const { open } = useRun();
  const field = useRef<HTMLInputElement>(null);
  const { counts } = view;

  /** Selects the next matching row after the active one. */
  function jump(test: (row: Row) => boolean, backwards: boolean) {
    const { rows, focus } = view;
    const row = nextRow(rows, focus.active === undefined ? -1 : rows.indexOf(focus.active), backwards, test);
    if (!row) return;
    view.selectRow(row);
    focus.go(row.key);
  }
  const toFailed = (backwards: boolean) => jump(isFailedRow, backwards);
  const toPending = (backwards: boolean) => jump((row) => isPendingRow(row, open, view.pending), backwards);
  const toMatch = (backwards: boolean) => jump(view.isMatch, backwards);

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
  const { find } = useRun();
  const { matches, term } = useFind();
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
        onChange={(event) => find.setTerm(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onJump(event.shiftKey);
          if (event.key !== 'Escape') return;
          find.clear();
          event.currentTarget.blur();
        }}
      />
      {matches ? (
        <>
          <span className={styles['hits']} role="status">
            {view.view === 'all' ? matches.size : (view.matched?.size ?? 0)}
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
