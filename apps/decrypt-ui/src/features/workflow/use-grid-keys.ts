import { useHotkeys } from '../../components/use-hotkeys.ts';
import { announce } from '../../components/live-region.tsx';
import { panes } from './search.ts';
import type { HistoryView } from './use-history-view.ts';
import type { NewEvents } from './use-new-events.ts';

interface GridKeysInput {
  readonly view: HistoryView;
  readonly rowsPerPage: number;
  readonly news: NewEvents;
}

/** Moves through the rows. With the inspector open it shows the row that one moves to. */
export function useGridKeys({ view, rowsPerPage, news }: GridKeysInput): void {
  const { rows, active, selectedKey } = view;
  const index = rows.findIndex((row) => row.key === active);
  const row = rows[index];

  function move(to: number) {
    const next = rows[Math.min(Math.max(to, 0), rows.length - 1)];
    if (!next) return;
    if (selectedKey !== undefined) view.selectRow(next);
    view.go(next.key);
  }

  function right() {
    if (row?.kind === 'group' && row.expandable && !row.expanded) view.toggle(row.group.id);
    else if (row?.kind === 'group' && row.expanded) move(index + 1);
    else if (selectedKey !== undefined) focusInspector();
  }

  function left() {
    if (row?.kind === 'group' && row.expanded) view.toggle(row.group.id);
    else if (row?.level === 2)
      move(rows.findIndex((other) => other.kind === 'group' && other.group === row.group));
  }

  function inspect() {
    if (selectedKey !== undefined) focusInspector();
    else if (row) view.selectRow(row);
  }

  function escape() {
    const inspector = document.querySelector('[data-inspector]');
    if (inspector?.contains(document.activeElement) && active !== undefined) view.go(active);
    else view.close();
  }

  useHotkeys({
    j: () => move(index + 1),
    k: () => move(index - 1),
    ...(isElsewhere()
      ? {}
      : {
          ArrowDown: () => move(index + 1),
          ArrowUp: () => move(index - 1),
          ArrowRight: right,
          ArrowLeft: left,
          Home: () => move(0),
          End: () => move(rows.length - 1),
          PageDown: () => move(index + rowsPerPage),
          PageUp: () => move(index - rowsPerPage),
        }),
    i: inspect,
    f: news.toggleFollowing,
    Escape: escape,
    '0': () => view.change({ from: undefined, to: undefined }),
    ...Object.fromEntries(
      panes.map((pane, position) => [
        String(position + 1),
        () => view.change({ pane: pane === 'payloads' ? undefined : pane }),
      ]),
    ),
    c: () => {
      void navigator.clipboard.writeText(location.href).then(() => announce('Copied link'));
    },
  });
}

const focusInspector = () => document.querySelector<HTMLElement>('[data-inspector]')?.focus();

/** Arrow keys belong to tabs, sliders and scrolled text where these have the focus. */
const isElsewhere = () =>
  document.activeElement?.closest(
    '[role="tablist"], [role="slider"], [data-inspector], [role="separator"]',
  ) != null;
