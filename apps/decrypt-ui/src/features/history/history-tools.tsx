import { Search, Settings2 } from 'lucide-react';
import { Button } from '../../components/button.tsx';
import { DensityChoice } from '../../components/density.tsx';
import { Kbd } from '../../components/kbd.tsx';
import { Menu, MenuLine, MenuToggle } from '../../components/menu.tsx';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import type { Row } from '../../model/rows.ts';
import { useFind, useRun } from '../../run/run-context.tsx';
import { type CommandId, firstKey, tip } from '../../commands/commands.ts';
import { useCommands } from '../../commands/registry.ts';
import { focusFind } from './find-bar.tsx';
import styles from './history-tools.module.css';
import { type HistoryView, isFailedRow, isPendingRow, nextRow } from './use-history-view.ts';
import type { MatchJump } from './use-matches.ts';

/** The tools in the bar of the History tab: find, rows, counters and view options. */
export function HistoryTools({ view, matches }: { view: HistoryView; matches: MatchJump }) {
  const { open, find } = useRun();
  const { open: finding, only } = useFind();
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

  function showFind(scope?: 'payloads') {
    find.show(scope);
    focusFind();
  }

  useCommands({
    find: () => showFind(),
    'find.payloads': () => showFind('payloads'),
    'failed.next': () => toFailed(false),
    'failed.previous': () => toFailed(true),
    'pending.next': () => toPending(false),
    'pending.previous': () => toPending(true),
    'match.next': matches.count ? matches.next : undefined,
    'match.previous': matches.count ? matches.previous : undefined,
    'match.only': finding ? () => find.setOnly(!only) : undefined,
    'view.groups': () => view.change({ view: view.view === 'all' ? undefined : 'all' }),
    'view.idle': () => view.change({ idle: view.idle ? false : undefined }),
    'groups.collapse': view.collapseAll,
    'groups.expand': view.expandAll,
  });

  return (
    <>
      <span className="spacer" />
      {finding ? null : (
        <button
          type="button"
          className={styles['find']}
          {...tip('find', 'Find in this run')}
          onClick={() => showFind()}
        >
          <Search size={14} aria-hidden="true" />
          Find
          <span className="spacer" />
          <Kbd>{firstKey('find')}</Kbd>
        </button>
      )}
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
