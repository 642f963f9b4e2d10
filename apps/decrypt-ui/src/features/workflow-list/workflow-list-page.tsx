import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible, type WorkflowStatus } from '@temporal-kms/codec-api';
import { RefreshCw, Rows3, Unplug } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { ApiFailure, failureCode } from '../../api/failure.ts';
import { countQuery } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { DensityChoice } from '../../components/density.tsx';
import { Footer } from '../../components/footer.tsx';
import { Menu } from '../../components/menu.tsx';
import { Notice } from '../../components/notice.tsx';
import { formatCount } from '../../model/format/number.ts';
import { useCommands } from '../../commands/registry.ts';
import { useServices } from '../../state/services.tsx';
import { Forbidden } from '../session/forbidden.tsx';
import { QueryField, StatusCounts } from './filters.tsx';
import { statusesOf, visibilityQuery, withStatuses } from './search.ts';
import { useWorkflows } from './use-workflows.ts';
import styles from './workflow-list-page.module.css';
import { WorkflowTable } from './workflow-table.tsx';

const route = getRouteApi('/ns/$namespace/workflows');

/** The page with the workflows of a namespace. */
export function WorkflowListPage() {
  const { api } = useServices();
  const { namespace } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const statuses = statusesOf(search.status);
  const base = visibilityQuery(search.q ?? '');
  const query = withStatuses(base, statuses);
  const workflows = useWorkflows(namespace, query);
  const count = useQuery(countQuery(api, namespace, base));
  const field = useRef<HTMLInputElement>(null);
  const { list, rows, error } = workflows;
  const invalid = error instanceof ApiFailure && error.code === 'invalid_query' ? error.message : undefined;
  const total = totalOf(count.data, statuses);

  useEffect(() => {
    document.title = escapeInvisible(`Workflows · ${namespace} · decrypt-ui`);
  }, [namespace]);
  useCommands({ find: () => field.current?.focus() });

  function toggle(status: WorkflowStatus) {
    const next = statuses.includes(status)
      ? statuses.filter((other) => other !== status)
      : [...statuses, status];
    void navigate({ search: { ...search, status: next.length > 0 ? next.join(',') : undefined } });
  }

  if (error && failureCode(error) === 'forbidden') {
    return <Forbidden namespace={namespace} onRetry={() => void list.refetch()} />;
  }
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>Workflows</h1>
        {total === undefined || invalid ? null : (
          <span className={styles['total']}>{formatCount(total)}</span>
        )}
        {workflows.fresh > 0 ? (
          <Button size="small" className={styles['fresh']} onClick={workflows.showNew}>
            <RefreshCw size={12} />
            {workflows.fresh}
            {workflows.freshAtLeast ? '+' : ''} new
          </Button>
        ) : null}
        <span className="spacer" />
        <StatusCounts count={count.data} chosen={statuses} onToggle={toggle} />
      </div>
      <div className={styles['filter']}>
        <QueryField
          ref={field}
          value={search.q ?? ''}
          error={invalid}
          onApply={(q) => void navigate({ search: { ...search, q: q || undefined } })}
        />
        <DensityMenu />
      </div>
      {error && !invalid ? (
        <div className={styles['banner']}>
          <Notice
            severity="error"
            icon={<Unplug size={14} />}
            title={rows.length > 0 ? 'The list could not be updated' : 'The workflows could not be loaded'}
            action={
              <Button size="small" onClick={() => void list.refetch()}>
                Try again
              </Button>
            }
          >
            {error.message}
          </Notice>
        </div>
      ) : null}
      <WorkflowTable
        key={`${namespace} ${query}`}
        place={`${namespace} ${query}`}
        namespace={namespace}
        rows={rows}
        total={total ?? rows.length}
        loading={list.isPending && !error}
        more={list.hasNextPage}
        onNearEnd={workflows.loadMore}
        empty={
          list.isSuccess && {
            filtered: query !== '',
            description: describeFilter(search.q, statuses),
            clear: () => void navigate({ search: {} }),
          }
        }
      />
      <Footer
        hints={[
          { commands: ['row.next', 'row.previous'], text: 'move' },
          { commands: ['row.open'], text: 'open' },
          { commands: ['find'], text: 'filter' },
          { commands: ['copy.id'], text: 'copy id' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        <span>
          {formatCount(rows.length)} of {formatCount(Math.max(total ?? 0, rows.length))} loaded
        </span>
        <span className={styles['note']}>
          The key versions are those of each run’s memo; the list does not load other payloads
        </span>
      </Footer>
    </>
  );
}

function totalOf(
  count: { total: number; byStatus: Partial<Record<WorkflowStatus, number>> } | undefined,
  statuses: readonly WorkflowStatus[],
): number | undefined {
  if (!count || statuses.length === 0) return count?.total;
  return statuses.reduce((sum, status) => sum + (count.byStatus[status] ?? 0), 0);
}

const describeFilter = (q: string | undefined, statuses: readonly WorkflowStatus[]) =>
  [q, statuses.join(' or ')].filter(Boolean).join(', ');

function DensityMenu() {
  return (
    <Menu
      label="Density"
      align="end"
      className={styles['density']}
      trigger={
        <>
          <Rows3 size={14} />
          Density
        </>
      }
    >
      <DensityChoice />
    </Menu>
  );
}
