import { Search, Settings2 } from 'lucide-react';
import { lazy, Suspense } from 'react';
import type { Outcome } from '@temporal-kms/histories/events';
import { type CommandId, firstKey, tip } from '../../ui/commands/commands.ts';
import { type Actions, useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { Segmented } from '../../ui/controls/segmented.tsx';
import { DensityChoice } from '../../ui/grid/density.tsx';
import { Menu, MenuLine, MenuToggle } from '../../ui/overlays/menu.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { Kbd } from '../../ui/text/kbd.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import type { Row } from '../events/rows.ts';
import { focusFind } from '../find/find-bar.tsx';
import type { MatchJump } from '../find/use-matches.ts';
import { type HistoryView, isFailedRow, isPendingRow, nextRow } from '../history/use-history-view.ts';
import type { WorkflowSearch } from '../run-params.ts';
import { useFind, useRun } from '../run/run-context.tsx';
import { RangeTools } from '../timeline/range-tools.tsx';
import styles from './history-tools.module.css';

const TypeFilter = lazy(async () => ({ default: (await import('./type-filter.tsx')).TypeFilter }));
const FollowToggles = lazy(async () => ({ default: (await import('./follow-toggles.tsx')).FollowToggles }));

interface HistoryToolsProps {
  readonly view: HistoryView;
  readonly matches: MatchJump;
  readonly search: WorkflowSearch;
}

/** The toolbar of the History tab: find, rows, counters and view options. */
export function HistoryTools({ view, matches, search }: HistoryToolsProps) {
  const { open, find } = useRun();
  const { open: finding, only } = useFind();
  const { counts } = view;
  const phone = useNarrowerThan(PHONE_BELOW);
  const first = view.times.events[0];

  /** Selects the next or, if `backwards` is true, the previous matching row. */
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

  const rowCommands: Actions = {
    'failed.next': () => toFailed(false),
    'failed.previous': () => toFailed(true),
    'pending.next': () => toPending(false),
    'pending.previous': () => toPending(true),
    'view.idle': () => view.change({ idle: view.idle ? false : undefined }),
    'groups.collapse': view.collapseAll,
    'groups.expand': view.expandAll,
  };
  useCommands({
    ...(view.rows.length > 0 ? rowCommands : {}),
    find: () => showFind(),
    'find.payloads': () => showFind('payloads'),
    'match.next': matches.count ? matches.next : undefined,
    'match.previous': matches.count ? matches.previous : undefined,
    'match.only': finding ? () => find.setOnly(!only) : undefined,
    'view.groups': () => view.change({ view: view.view === 'all' ? undefined : 'all' }),
  });

  return (
    <>
      <span className="spacer" />
      {view.type === undefined ? null : (
        <Suspense>
          <TypeFilter type={view.type} onEnd={() => view.change({ type: undefined })} />
        </Suspense>
      )}
      {/* The counters are after the free space, so that a counter that appears or disappears moves nothing under the pointer. */}
      <Counter
        command="pending.next"
        word="pending"
        outcome="pending"
        count={counts.pending}
        onJump={toPending}
      />
      <Counter
        command="failed.next"
        word="failed"
        outcome={counts.failedAs}
        count={counts.failed}
        onJump={toFailed}
      />
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
      <Segmented
        label="Rows"
        className={styles['segmented']}
        value={view.view}
        options={rowOptions}
        onChange={(value) => view.change({ view: value === 'all' ? 'all' : undefined })}
      />
      {phone || first === undefined ? null : (
        <RangeTools
          from={first}
          to={open ? undefined : view.times.events.at(-1)}
          zoom={{ from: search.from, to: search.to }}
          onZoom={view.change}
        />
      )}
      <ViewMenu view={view} />
    </>
  );
}

const rowOptions = [
  { value: 'groups', text: 'Groups' },
  { value: 'all', text: 'All' },
] as const;

interface CounterProps {
  readonly command: CommandId;
  readonly word: 'failed' | 'pending';
  readonly outcome: Outcome;
  readonly count: number;
  readonly onJump: (backwards: boolean) => void;
}

/**
 * Shows the number of groups with an outcome, unless there are none. A click selects the next group with this
 * outcome, and a Shift-click selects the previous group.
 */
function Counter({ command, word, outcome, count, onJump }: CounterProps) {
  if (count === 0) return null;
  return (
    <Button
      look="ghost"
      {...tip(command)}
      aria-label={`${count} ${word}, go to the next`}
      onClick={(event) => onJump(event.shiftKey)}
    >
      <OutcomeGlyph outcome={outcome} />
      {count}
    </Button>
  );
}

function ViewMenu({ view }: { view: HistoryView }) {
  const { address, open } = useRun();
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
      {open && !address.file ? (
        <Suspense>
          <FollowToggles />
        </Suspense>
      ) : null}
      <MenuLine />
      <DensityChoice title="Rows" />
    </Menu>
  );
}
