import { getRouteApi, Link } from '@tanstack/react-router';
import { escapeInvisible, type WorkflowStatus, type WorkflowSummary } from '@temporal-kms/codec-api';
import { RefreshCw, SearchX, Unplug } from 'lucide-react';
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { useRevealed } from '../../payloads/reveal/reveals-context.tsx';
import { namespaceOf } from '../../payloads/reveal/reveals.ts';
import { useRunsSearch, useRunsSearchState } from '../../search/use-runs-search.ts';
import { RunsSearchLoading } from '../../search/runs-search-loading.tsx';
import { ApiFailure, failureCode } from '../../session/server/failure.ts';
import { useSessionState } from '../../session/services.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { formatCount } from '../../ui/format/number.ts';
import { announce } from '../../ui/live-region.tsx';
import { lazyModule, useModule } from '../../ui/lazy-module.ts';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';
import { Footer } from '../../ui/page/footer.tsx';
import { EmptyState, Notice } from '../../ui/page/notice.tsx';
import { conditionWords } from '../filter/condition-words.ts';
import { namesType, statusesOf, withStatuses } from '../filter/edit-query.ts';
import { Filter } from '../filter/filter-field.tsx';
import type { KnownValues } from '../filter/suggestions.ts';
import { useResolvedTimes } from '../filter/use-resolved-times.ts';
import { type ListQuery, printQuery } from '../filter/visibility-query.ts';
import { setUsualColumns, useUsualColumns } from './list-settings.ts';
import { type ListView, searchOf, viewOf } from './list-view.ts';
import { PicksBar } from './picks-bar.tsx';
import { StatusCounts } from './status-counts.tsx';
import { sameColumns } from './table/columns.ts';
import { usePicks } from './table/use-picks.ts';
import { WorkflowTable } from './table/workflow-table.tsx';
import { useCounts, useWorkflows } from './use-workflows.ts';
import { ViewsBar } from './views-bar.tsx';
import styles from './workflow-list-page.module.css';

/** Loaded when first shown. */
const Forbidden = lazy(async () => ({
  default: (await import('../../session/pages/forbidden.tsx')).Forbidden,
}));
const ListPayloadSearch = lazy(async () => ({
  default: (await import('./list-payload-search.tsx')).ListPayloadSearch,
}));
const ColumnsDialog = lazy(async () => ({ default: (await import('./columns-dialog.tsx')).ColumnsDialog }));

/** Loaded when first used. */
const revealBar = lazyModule(() => import('../../payloads/reveal/list-reveal-bar.tsx'));
const listExport = () => import('./list-export.ts');

const noMatches: ReadonlyMap<string, number> = new Map();

const route = getRouteApi('/ns/$namespace/workflows');

/** The page with a namespace's workflows. */
export function WorkflowListPage() {
  const { namespace } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const view = useMemo(() => viewOf(search), [search]);
  const { query } = view;
  const text = printQuery(query);
  const resolve = useResolvedTimes(namespace, text);
  const resolved = resolve(text);
  const workflows = useWorkflows(namespace, resolved);
  const counts = useCounts(namespace, query, resolve);
  const usual = useUsualColumns();
  const columns = view.columns ?? usual;
  const field = useRef<HTMLInputElement>(null);
  const picks = usePicks(namespace);
  const [choosing, setChoosing] = useState(false);
  const { list, rows, error, retry } = workflows;
  const invalid = error instanceof ApiFailure && error.code === 'invalid_query' ? error.message : undefined;
  const chosen = statusesOf(query);
  const total = totalOf(counts.count, chosen);
  const known = useMemo(() => knownValues(rows), [rows]);

  useEffect(() => {
    document.title = escapeInvisible(`Workflows · ${namespace} · temporal-kms`);
  }, [namespace]);
  const runsSearch = useRunsSearch();
  const { open: searching, search: runsFound, found } = useRunsSearchState();
  const { status: signedIn } = useSessionState();
  const isFound =
    runsFound?.namespace === namespace && runsFound.query === resolved && signedIn !== 'expired';
  const matches = useMemo(
    () => (isFound ? new Map(found.map(({ workflow, hits }) => [workflow.runId, hits.length])) : noMatches),
    [isFound, found],
  );
  const reveals = useModule(
    revealBar,
    useRevealed(
      (state) =>
        state.locked.has(namespace) || state.grants.some(({ target }) => namespaceOf(target) === namespace),
    ),
  );
  const searchButton = useRef<HTMLButtonElement>(null);
  const leaveSearch = () => searchButton.current?.focus();
  const inCauses = text === '' ? {} : { q: text };
  const exportAs = (form: 'json' | 'csv') =>
    rows.length > 0
      ? () =>
          void listExport().then(
            ({ exportRows }) => exportRows(namespace, resolved, rows, form),
            () => announce('The page could not load the export. Try again.'),
          )
      : undefined;
  useCommands({
    find: () => field.current?.focus(),
    'search.runs': invalid ? undefined : runsSearch.show,
    'list.columns': () => setChoosing(true),
    'list.json': exportAs('json'),
    'list.csv': exportAs('csv'),
    'go.causes': () =>
      void navigate({ to: '/ns/$namespace/causes', params: { namespace }, search: inCauses }),
  });

  const show = (next: ListView) => void navigate({ search: searchOf(next) });
  const filter = (next: ListQuery) => show({ ...view, query: next });

  function toggle(status: WorkflowStatus) {
    const next = chosen.includes(status) ? chosen.filter((other) => other !== status) : [...chosen, status];
    filter(withStatuses(query, next));
  }

  if (error && failureCode(error) === 'forbidden') {
    return (
      <Suspense fallback={null}>
        <Forbidden namespace={namespace} onRetry={retry} />
      </Suspense>
    );
  }
  if (error && failureCode(error) === 'not_found') return <NoNamespace namespace={namespace} />;

  return (
    <>
      {reveals ? <reveals.ListRevealBar namespace={namespace} /> : null}
      <div className={styles['head']}>
        <h1 className={styles['title']}>Workflows</h1>
        {total === undefined || invalid ? null : (
          <span className={styles['total']}>{formatCount(total)}</span>
        )}
        {workflows.fresh > 0 ? (
          <Button
            size="small"
            className={styles['fresh']}
            onClick={() => {
              workflows.showNew();
              counts.settle();
            }}
          >
            <RefreshCw size={12} />
            {workflows.fresh}
            {workflows.freshAtLeast ? '+' : ''} new
          </Button>
        ) : null}
        <span className="spacer" />
        <StatusCounts
          count={counts.count}
          before={counts.before}
          shown={counts.known}
          chosen={chosen}
          onToggle={query.kind === 'raw' ? undefined : toggle}
        />
        <Link
          to="/ns/$namespace/causes"
          params={{ namespace }}
          search={inCauses}
          className={buttonClass({ look: 'ghost' })}
          {...tip('go.causes', 'Failures by cause')}
        >
          By cause
        </Link>
      </div>
      <ViewsBar
        namespace={namespace}
        search={searchOf(view)}
        sets={
          namesType(query) && !invalid
            ? (['Failed', 'Completed'] as const).map((status) => printQuery(withStatuses(query, [status])))
            : undefined
        }
        loaded={rows.length}
        searchButton={searchButton}
        onSearch={invalid ? undefined : runsSearch.show}
        picking={picks.picking}
        onPick={(picking) => (picking ? picks.setPicking(true) : picks.clear())}
      />
      <Filter
        namespace={namespace}
        field={field}
        query={query}
        known={known}
        error={invalid}
        onApply={filter}
      />
      {error && !invalid ? (
        <div className={styles['banner']}>
          <Notice
            severity="error"
            icon={<Unplug size={14} />}
            title={rows.length > 0 ? 'The list could not be updated' : 'The workflows could not be loaded'}
            action={
              <Button size="small" onClick={retry}>
                Try again
              </Button>
            }
          >
            {error.message}
          </Notice>
        </div>
      ) : null}
      <div className={styles['body']}>
        <WorkflowTable
          key={`${namespace} ${text}`}
          list={`${namespace} ${text}`}
          namespace={namespace}
          rows={rows}
          columns={columns}
          total={total ?? rows.length}
          loading={list.isPending && !error}
          more={list.hasNextPage}
          onNearEnd={workflows.loadMore}
          hasPanel={searching}
          picks={picks}
          matches={matches}
          empty={
            list.isSuccess && {
              filtered: text !== '',
              description: describeQuery(query),
              clear: () => show({ ...view, query: { kind: 'conditions', conditions: [] } }),
            }
          }
        />
        {searching ? (
          <Suspense fallback={<RunsSearchLoading onLeave={leaveSearch} />}>
            <ListPayloadSearch namespace={namespace} query={resolved} total={total} onLeave={leaveSearch} />
          </Suspense>
        ) : null}
      </div>
      <PicksBar namespace={namespace} picks={picks} />
      {choosing ? (
        <Suspense fallback={<DialogLoading />}>
          <ColumnsDialog
            onClose={() => setChoosing(false)}
            columns={columns}
            attributes={known.attributes}
            onChange={(next) => {
              setUsualColumns(next);
              // The address contains columns only if they differ from the user's default columns.
              if (view.columns && !sameColumns(view.columns, next))
                void navigate({ search: searchOf({ query }) });
            }}
          />
        </Suspense>
      ) : null}
      <Footer
        hints={[
          { commands: ['row.pick'], text: 'pick to compare' },
          { commands: ['row.next', 'row.previous'], text: 'move' },
          { commands: ['row.open'], text: 'open' },
          { commands: ['group.expand'], text: 'children' },
          { commands: ['copy.id'], text: 'copy id' },
          { commands: ['find'], text: 'filter' },
          { commands: ['search.runs'], text: 'search payloads' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        {list.isSuccess || rows.length > 0 ? (
          <span>
            {formatCount(rows.length)} of {formatCount(Math.max(total ?? 0, rows.length))} loaded
          </span>
        ) : null}
      </Footer>
    </>
  );
}

/** The page for a namespace that the server or Temporal does not have. */
function NoNamespace({ namespace }: { namespace: string }) {
  return (
    <EmptyState
      page
      icon={<SearchX size={16} />}
      title={
        <>
          There is no namespace <span className="mono">{escapeInvisible(namespace)}</span>
        </>
      }
      action={
        <Link to="/" className={buttonClass()}>
          Workflows of the default namespace
        </Link>
      }
    >
      Check the name in the address, or choose another namespace above.
    </EmptyState>
  );
}

function totalOf(
  count: { total: number; byStatus: Partial<Record<WorkflowStatus, number>> } | undefined,
  statuses: readonly WorkflowStatus[],
): number | undefined {
  if (!count || statuses.length === 0) return count?.total;
  return statuses.reduce((sum, status) => sum + (count.byStatus[status] ?? 0), 0);
}

function describeQuery(query: ListQuery): string {
  if (query.kind === 'raw') return escapeInvisible(query.text);
  return query.conditions
    .map((condition) => {
      const { name, operator, value } = conditionWords(condition);
      return [name.replaceAll(' ', '\u00a0'), operator, value].filter(Boolean).join(' ');
    })
    .join(', ');
}

/** Maximum number of values that the filter offers for an attribute. */
const MOST_VALUES = 50;

/** Returns names and values in the loaded rows, for the filter's suggestions. */
function knownValues(rows: readonly WorkflowSummary[]): KnownValues {
  const values = new Map<string, Set<string>>();
  const add = (attribute: string, value: unknown) => {
    if (typeof value !== 'string' || value === '') return;
    const known = values.get(attribute) ?? new Set();
    values.set(attribute, known);
    if (known.size < MOST_VALUES) known.add(value);
  };
  const attributes = new Set<string>();
  for (const row of rows) {
    add('WorkflowType', row.type);
    add('TaskQueue', row.taskQueue);
    for (const [name, value] of Object.entries(row.searchAttributes)) {
      attributes.add(name);
      for (const one of Array.isArray(value) ? value : [value]) add(name, one);
    }
  }
  return {
    attributes: [...attributes].toSorted(),
    values: new Map([...values].map(([name, found]) => [name, [...found].toSorted()])),
  };
}
