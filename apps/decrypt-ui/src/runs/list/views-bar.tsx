import { clsx } from 'clsx';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import {
  ArrowDown,
  Columns3,
  Diff,
  Download,
  FileUp,
  GitCompareArrows,
  Plus,
  Rows3,
  ScanSearch,
  Star,
  X,
} from 'lucide-react';
import { lazy, type ReactNode, type Ref, Suspense, useState } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { runCommand } from '../../ui/commands/registry.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { formatCount } from '../../ui/format/number.ts';
import { DensityChoice } from '../../ui/grid/density.tsx';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';
import { Menu, MenuAction } from '../../ui/overlays/menu.tsx';
import { useRunsApi } from '../api.ts';
import { useResolvedTimes } from '../filter/use-resolved-times.ts';
import { countQuery } from '../queries.ts';
import { differsOf } from '../run-params.ts';
import type { ListSearch } from './list-params.ts';
import { deleteView, useSavedViews } from './list-settings.ts';
import styles from './views-bar.module.css';

/** Loaded when first opened. */
const NameDialog = lazy(async () => ({ default: (await import('./name-dialog.tsx')).NameDialog }));

interface SystemView {
  readonly name: string;
  readonly q: string;
  /** Whether the tab shows the number of runs in the view. */
  readonly counted?: boolean;
}

const systemViews: readonly SystemView[] = [
  { name: 'All', q: '' },
  { name: 'Running', q: 'ExecutionStatus = "Running"' },
  { name: 'Failed today', q: 'ExecutionStatus = "Failed" AND CloseTime >= "today"', counted: true },
  { name: 'Task failures', q: 'TemporalReportedProblems IS NOT NULL', counted: true },
];

interface ViewsBarProps {
  readonly namespace: string;
  readonly search: ListSearch;
  /** Two queries whose runs the user may want to compare: the failed and the completed runs of a type. */
  readonly sets: readonly string[] | undefined;
  readonly loaded: number;
  readonly searchButton: Ref<HTMLButtonElement>;
  /** Opens the payload search; undefined while the list has no valid query. */
  readonly onSearch: (() => void) | undefined;
  /** Whether the user is picking runs to compare. */
  readonly picking: boolean;
  readonly onPick: (picking: boolean) => void;
}

/** The list's views and display options. */
export function ViewsBar(props: ViewsBarProps) {
  const { namespace, search, sets, loaded, searchButton } = props;
  const { onSearch, picking, onPick } = props;
  const saved = useSavedViews(namespace);
  const [naming, setNaming] = useState(false);
  const q = search.q ?? '';
  const loadedRows = { disabled: loaded === 0, note: `${formatCount(loaded)} rows` };
  const isKnown = [...systemViews, ...saved].some((view) => view.q === q);
  return (
    <div className={styles['bar']} data-unprinted="">
      <nav className={clsx(styles['views'], 'fades')} aria-label="Views">
        {systemViews.map((view) => (
          <ViewLink key={view.name} namespace={namespace} q={view.q} current={view.q === q}>
            {view.name}
            {view.counted ? <ViewCount namespace={namespace} q={view.q} /> : null}
          </ViewLink>
        ))}
        {saved.map((view) => (
          <span key={view.name} className={styles['saved']}>
            <ViewLink namespace={namespace} q={view.q} cols={view.cols} current={view.q === q}>
              <Star size={13} aria-hidden="true" />
              {escapeInvisible(view.name)}
            </ViewLink>
            <button
              type="button"
              className={styles['delete']}
              aria-label={`Delete view ${view.name}`}
              data-tip="Delete view"
              onClick={() => deleteView(namespace, view.name)}
            >
              <X size={12} />
            </button>
          </span>
        ))}
        <Button
          look="ghost"
          icon
          aria-label="Save this view"
          data-tip={
            isKnown
              ? 'This view is already saved'
              : onSearch
                ? 'Save this view'
                : 'Temporal rejects the query of this view'
          }
          disabled={isKnown || !onSearch}
          className={styles['add']}
          onClick={() => setNaming(true)}
        >
          <Plus size={14} />
        </Button>
      </nav>
      <span className="spacer" />
      <span
        className={styles['order']}
        data-tip="Temporal lists running workflows first, then closed workflows, most recently closed first. It offers no other order."
      >
        <ArrowDown size={12} aria-hidden="true" />
        Running, then last closed
      </span>
      <Button
        ref={searchButton}
        look="ghost"
        className={styles['tool']}
        aria-label="Search payloads"
        {...tip('search.runs')}
        disabled={!onSearch}
        onClick={onSearch}
      >
        <ScanSearch size={14} />
        <span className={styles['toolText']}>Search payloads</span>
      </Button>
      <Button
        look={picking ? 'quiet' : 'ghost'}
        className={styles['tool']}
        aria-label="Pick runs to compare"
        aria-pressed={picking}
        {...tip('runs.pick')}
        onClick={() => onPick(!picking)}
      >
        <GitCompareArrows size={14} />
        <span className={styles['toolText']}>Compare</span>
      </Button>
      {sets ? (
        <Link
          {...differsOf(namespace, sets[0] ?? '', sets[1] ?? '')}
          className={clsx(buttonClass({ look: 'ghost' }), styles['tool'])}
          aria-label="What differs between failed and completed runs"
          data-tip="What differs between failed and completed runs"
        >
          <Diff size={14} />
          <span className={styles['toolText']}>What differs</span>
        </Link>
      ) : null}
      {/* Shown on a narrow screen, where the top bar has no space for it. */}
      <Button
        look="ghost"
        icon
        className={styles['file']}
        aria-label="Open a history file"
        {...tip('file.open')}
        onClick={() => runCommand('file.open')}
      >
        <FileUp size={14} />
      </Button>
      <div className={styles['tools']}>
        <Menu
          label="Export rows"
          align="end"
          trigger={
            <>
              <Download size={14} />
              <span className={styles['toolText']}>Export</span>
            </>
          }
        >
          <MenuAction {...loadedRows} onClick={() => runCommand('list.json')}>
            Loaded rows as JSON
          </MenuAction>
          <MenuAction {...loadedRows} onClick={() => runCommand('list.csv')}>
            Loaded rows as CSV
          </MenuAction>
        </Menu>
        <Button look="ghost" aria-label="Columns" onClick={() => runCommand('list.columns')}>
          <Columns3 size={14} />
          <span className={styles['toolText']}>Columns</span>
        </Button>
        <Menu
          label="Row height"
          align="end"
          className={styles['density']}
          trigger={
            <>
              <Rows3 size={14} />
              <span className={styles['toolText']}>Density</span>
            </>
          }
        >
          <DensityChoice />
        </Menu>
      </div>
      {naming ? (
        <Suspense fallback={<DialogLoading />}>
          <NameDialog onClose={() => setNaming(false)} namespace={namespace} search={search} />
        </Suspense>
      ) : null}
    </div>
  );
}

interface ViewLinkProps {
  readonly namespace: string;
  readonly q: string;
  readonly cols?: string | undefined;
  readonly current: boolean;
  readonly children: ReactNode;
}

function ViewLink({ namespace, q, cols, current, children }: ViewLinkProps) {
  return (
    <Link
      to="/ns/$namespace/workflows"
      params={{ namespace }}
      search={{ ...(q && { q }), ...(cols !== undefined && { cols }) }}
      className={styles['view']}
      // Without this prop, the router would also mark a view as current if the view's parameters are only some
      // of those in the address.
      activeProps={{}}
      aria-current={current ? 'page' : undefined}
      data-current={current ? '' : undefined}
    >
      {children}
    </Link>
  );
}

/** The number of runs in a view, unless it is zero. Reserves the space while the number is unknown. */
function ViewCount({ namespace, q }: { namespace: string; q: string }) {
  const api = useRunsApi();
  const resolve = useResolvedTimes(namespace, q);
  const { data } = useQuery({
    ...countQuery(api, namespace, resolve(q)),
    // When the list has changed, it triggers a new count.
    refetchInterval: false,
    // The query may use a search attribute that older servers lack.
    retry: false,
  });
  return (
    <span className={styles['count']}>
      {data === undefined || data.total === 0 ? null : formatCount(data.total)}
    </span>
  );
}
