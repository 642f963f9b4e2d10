import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { CircleAlert, RefreshCw, ScrollText, ShieldCheck } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useReveals } from '../payloads/reveal/reveals-context.tsx';
import { Forbidden } from '../session/pages/forbidden.tsx';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { tip } from '../ui/commands/commands.ts';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { plural } from '../ui/format/number.ts';
import { announce } from '../ui/live-region.tsx';
import { Footer } from '../ui/page/footer.tsx';
import { Notice } from '../ui/page/notice.tsx';
import { SplitView } from '../ui/page/split-view.tsx';
import { StatePage } from '../ui/page/state-page.tsx';
import { useTask } from '../ui/use-task.ts';
import { auditQuery, verifyAudit } from './api.ts';
import {
  type AuditView,
  conditionsOf,
  isFiltered,
  keepView,
  noText,
  sameSearch,
  viewOf,
} from './audit-conditions.ts';
import { AuditExport } from './audit-export.tsx';
import { AuditFilter } from './audit-filter.tsx';
import { auditRows } from './audit-rows.ts';
import { AuditTable } from './audit-table.tsx';
import styles from './audit.module.css';
import { ChainResult } from './chain-result.tsx';
import { EntryPane } from './entry-pane.tsx';

const route = getRouteApi('/ns/$namespace/audit');

/** The page with a namespace's audit: who decrypted, searched or exported what, when, why and with which outcome. */
export function AuditPage() {
  const { namespace } = route.useParams();
  return <Audit key={namespace} namespace={namespace} />;
}

function Audit({ namespace }: { namespace: string }) {
  const { api } = useServices();
  const reveals = useReveals();
  const queries = useQueryClient();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  // A change of the filter is stored here before the address changes, so that the page searches only once.
  const [changed, setChanged] = useState(() => ({
    before: search,
    view: viewOf(reveals, namespace, search),
  }));
  /** Number of times that conditions changed outside the filter's fields. Each such change resets the fields. */
  const [renewed, setRenewed] = useState(0);
  if (search !== changed.before && !sameSearch(search, changed.view.search)) {
    // A link or the browser's history changed the address.
    setChanged({ before: search, view: { ...viewOf(reveals, namespace, search), text: changed.view.text } });
    setRenewed(renewed + 1);
  }
  const view = useMemo(
    () => (changed.before === search ? changed.view : { ...changed.view, search }),
    [changed, search],
  );
  const conditions = useMemo(() => conditionsOf(view), [view]);
  const query = auditQuery(api, namespace, conditions);
  const { data, error, isPending, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery(query);
  const lines = useMemo(() => data?.pages.flatMap(({ entries }) => entries) ?? [], [data]);
  const rows = useMemo(() => auditRows(lines), [lines]);
  const [selected, setSelected] = useState<string>();
  const row = rows.find(({ id }) => id === selected);
  const chain = useTask(
    (signal) => verifyAudit(api, namespace, signal),
    (result, failure) => {
      if (failure) announce(`The chain could not be verified: ${failure.message}`);
      else announce(result?.status === 'intact' ? 'The chain is intact.' : 'The chain is not intact.');
    },
  );

  useEffect(() => {
    document.title = escapeInvisible(`Audit · ${namespace} · temporal-kms`);
  }, [namespace]);
  useCommands({ 'audit.verify': chain.running ? undefined : chain.run });

  /** Searches again, starting from the newest entry. */
  function update(change: Partial<AuditView> = {}) {
    const next = { ...view, ...change, now: Date.now() };
    keepView(reveals, namespace, next);
    setChanged({ before: search, view: next });
    setSelected(undefined);
    void navigate({ search: next.search, replace: true });
    // Drops cached results, so that a new search with the same conditions reads the audit again.
    queries.removeQueries({ queryKey: ['audit', namespace], type: 'inactive' });
    if (JSON.stringify(conditionsOf(next)) === JSON.stringify(conditions))
      void queries.resetQueries({ queryKey: query.queryKey, exact: true });
  }

  const code = error ? failureCode(error) : undefined;
  if (code === 'forbidden') {
    return <Forbidden namespace={namespace} what="the audit" permission="audit" onRetry={() => update()} />;
  }
  if (code === 'not_implemented') return <NoFile message={error?.message ?? ''} />;
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>Audit</h1>
        <span className={styles['count']}>
          {plural(rows.length, 'operation')}
          {hasNextPage ? ' loaded' : ''}
        </span>
        <span className="spacer" />
        <Button
          look="ghost"
          icon
          aria-label="Update"
          data-tip="Update"
          disabled={isFetching}
          onClick={() => update()}
        >
          <RefreshCw size={14} />
        </Button>
        <Button
          {...tip('audit.verify', 'Verify the hash chain of the audit file')}
          disabled={chain.running}
          onClick={chain.run}
        >
          <ShieldCheck size={14} />
          {chain.running ? 'Verifying…' : 'Verify the chain'}
        </Button>
        <AuditExport namespace={namespace} conditions={conditions} />
      </div>
      <AuditFilter
        key={renewed}
        search={view.search}
        text={view.text}
        onChange={(next, text) => update({ search: next, text })}
      />
      <ChainResult chain={chain} />
      {error ? (
        <div className={styles['banner']}>
          <Notice
            severity="error"
            icon={<CircleAlert size={14} />}
            title={data ? 'Older entries could not be loaded' : 'The audit could not be loaded'}
            action={<Button onClick={() => update()}>Start again</Button>}
          >
            {error.message}
          </Notice>
        </div>
      ) : null}
      <SplitView
        reserve={false}
        side={row ? <EntryPane row={row} onClose={() => setSelected(undefined)} /> : null}
      >
        <AuditTable
          name={`audit ${namespace} ${JSON.stringify(view.search)}`}
          namespace={namespace}
          rows={rows}
          selected={row?.id}
          onSelect={setSelected}
          loading={isPending && !error}
          searching={isFetching}
          pages={data?.pages ?? []}
          more={hasNextPage && !isFetching && !error}
          onMore={() => void fetchNextPage({ cancelRefetch: false })}
          filtered={isFiltered(view)}
          onClear={() => {
            setRenewed(renewed + 1);
            update({ search: {}, text: noText });
          }}
        />
      </SplitView>
      <Footer
        hints={[
          { commands: ['audit.verify'], text: 'verify' },
          { commands: ['row.next', 'row.previous'], text: 'move' },
          { commands: ['row.open'], text: 'details' },
          { commands: ['find'], text: 'filter' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        <span>
          The audit also records your reading. The entries are from the file of the server process that
          answered.
        </span>
      </Footer>
    </>
  );
}

/**
 * Shown for status 501: the server writes the audit to standard output, and cannot read the audit from there.
 */
function NoFile({ message }: { message: string }) {
  const query = /: (labels\.log=.*)$/s.exec(message)?.[1];
  return (
    <StatePage
      icon={<ScrollText size={18} />}
      title="This server cannot read its audit"
      facts={query === undefined ? [] : [['Query', <code key="query">{escapeInvisible(query)}</code>]]}
      actions={
        query === undefined ? null : (
          <CopyButton what="query" text={() => query} look="primary" size="normal">
            Copy the query
          </CopyButton>
        )
      }
    >
      <p>
        It writes the audit to standard output, where your log collector stores it. Search there
        {query === undefined ? '.' : ', for example in Cloud Logging with the query below.'} With{' '}
        <code>AUDIT_FILE</code>, the server writes a file, which this page can read.
      </p>
    </StatePage>
  );
}
