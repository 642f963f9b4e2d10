import { useCanReveal } from '../../payloads/reveal/reveal-choices.ts';
import { type Actions, useCommands } from '../../ui/commands/registry.ts';
import { copyText } from '../../ui/controls/copy-text.ts';
import type { Grid } from '../../ui/grid/use-virtual-grid.ts';
import { groupKey, type Row } from '../events/rows.ts';
import { type Pane, panes } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';
import { useRevealEvents } from './reveal-events.tsx';
import type { HistoryView } from './use-history-view.ts';

interface HistoryCommandsInput {
  readonly view: HistoryView;
  readonly grid: Grid<Row>;
  readonly toggleFollowing: () => void;
}

/** Defines the commands of the history table and its inspector, in addition to those of every grid. */
export function useHistoryCommands({ view, grid, toggleFollowing }: HistoryCommandsInput): void {
  const { selectedKey, focus } = view;
  const { activeRow: row, activeIndex, move } = grid;
  const { address } = useRun();
  const canReveal = useCanReveal(address);
  const reveal = useRevealEvents();
  const group = row?.group ?? view.selectedGroup;

  function expand() {
    if (row?.kind === 'group' && row.expandable && !row.expanded) view.toggle(row.group.id);
    else if (row?.kind === 'group' && row.expanded) move(activeIndex + 1);
    else if (selectedKey !== undefined) focusInspector();
  }

  function collapse() {
    if (row?.kind === 'group' && row.expanded) view.toggle(row.group.id);
    else if (row?.level === 2) move(grid.rows.indexOf(groupKey(row.group.id)));
  }

  function inspect() {
    if (selectedKey !== undefined) focusInspector();
    else if (row) view.selectRow(row);
  }

  function close() {
    const hasFocus = inspector()?.contains(document.activeElement);
    if (hasFocus && focus.active !== undefined) focus.go(focus.active);
    else view.close();
  }

  const showPane = (pane: Pane) => () => view.change({ pane: pane === 'payloads' ? undefined : pane });

  useCommands({
    ...(Object.fromEntries(panes.map((pane) => [`inspector.${pane}`, showPane(pane)])) as Actions),
    'group.expand': expand,
    'group.collapse': collapse,
    'inspector.open': () => row && view.selectRow(row),
    'inspector.focus': view.rows.length > 0 ? inspect : undefined,
    'inspector.close': close,
    'reveal.event':
      canReveal && group
        ? () => {
            if (row?.kind === 'event') reveal([row.event]);
            else reveal(group.events, view.pending.get(group.id));
          }
        : undefined,
    'view.follow': toggleFollowing,
    'view.whole': () => view.change({ from: undefined, to: undefined }),
    // A history file has no link, because an address cannot contain the file.
    'copy.link': address.file ? undefined : () => void copyText('link', location.href),
  });
}

const inspector = () => document.querySelector<HTMLElement>('[data-inspector]');

const focusInspector = () => inspector()?.focus();
