import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { escapeInvisible, type WorkflowSummary } from '@temporal-kms/codec-api';
import { type ReactNode, useMemo, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import { Button } from '../../ui/controls/button.tsx';
import { formatDurationShort, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { Table } from '../../ui/page/table.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useNow } from '../../ui/use-now.ts';
import { useRunsApi } from '../api.ts';
import { linkText, type RunLink } from '../events/run-links.ts';
import { isOpen, outcomeOf, outcomeText } from '../outcome.ts';
import { familyQuery, runsQuery } from '../queries.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { FamilyTable } from './family-table.tsx';
import { familyRows, familyRuns } from './family.ts';
import styles from './relations-tab.module.css';
import { useLineage, useMessageLinks } from './use-relations.ts';

/**
 * The Relations tab: the family as a waterfall, the runs of the same workflow id, and the runs that exchange messages.
 */
export function RelationsTab() {
  return (
    <div className={styles['tab']}>
      <h2 className="sr-only">Relations</h2>
      <Family />
      <Chain />
      <Messages />
    </div>
  );
}

/** The runs that descend from the same root. */
function Family() {
  const api = useRunsApi();
  const { address, description, follow } = useRun();
  const { relations, workflow } = description;
  const root = relations.root?.runId ?? workflow.runId;
  const query = useInfiniteQuery(familyQuery(api, address.namespace, root));
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const { groups } = follow.history;
  const listed = query.data?.pages;
  const runs = useMemo(
    () => familyRuns({ description, groups, listed: listed?.flatMap((page) => page.workflows) ?? [] }),
    [description, groups, listed],
  );
  const rows = useMemo(() => familyRows(runs, collapsed), [runs, collapsed]);
  const parent = useLineage().find(({ relation }) => relation === 'Parent');
  return (
    <section className={styles['section']} aria-labelledby="family-title">
      <header className={styles['head']}>
        <h3 id="family-title">Family</h3>
        <span className="small t3">
          {runs.size === 1 ? 'no parent and no children' : plural(runs.size, 'run')}
          {query.hasNextPage ? ' so far' : ''}
        </span>
        {parent && parent.namespace !== address.namespace ? (
          <span className="small t2">
            Parent in another namespace:{' '}
            <RunAnchor run={parent}>{linkText(parent, address.namespace)}</RunAnchor>
          </span>
        ) : null}
      </header>
      {query.error ? (
        <p className={styles['note']}>
          The family is incomplete, because Temporal could not list it: {query.error.message}
        </p>
      ) : null}
      <FamilyTable
        rows={rows}
        onToggle={(runId) =>
          setCollapsed((known) => {
            const next = new Set(known);
            if (!next.delete(runId)) next.add(runId);
            return next;
          })
        }
      />
      {query.hasNextPage ? (
        <p className={styles['more']}>
          <Button size="small" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
            Load more runs
          </Button>
        </p>
      ) : null}
    </section>
  );
}

/** The runs of the same workflow id, newest first: continued, retried, reset and started again. */
function Chain() {
  const api = useRunsApi();
  const { address } = useRun();
  const { namespace, workflowId } = address;
  const { data } = useQuery(runsQuery(api, namespace, workflowId));
  const runs = useMemo(
    () =>
      (data?.workflows ?? []).toSorted((a, b) => (millisOf(b.startTime) ?? 0) - (millisOf(a.startTime) ?? 0)),
    [data],
  );
  const links = useLineage().filter((link) => link.workflowId === workflowId && link.runId !== undefined);
  const listed = new Set(runs.map(({ runId }) => runId));
  const now = useNow(runs.some(({ status }) => isOpen(status)));
  // A phone has no room for the column of the relation, which is below the id there.
  const phone = useNarrowerThan(PHONE_BELOW);
  return (
    <section className={styles['section']} aria-labelledby="chain-title">
      <header className={styles['head']}>
        <h3 id="chain-title">Runs of this workflow id</h3>
        <span className="small t3">
          {data?.nextPageToken ? `the latest ${runs.length}` : plural(runs.length, 'run')}
        </span>
      </header>
      <Table
        className={styles['table']}
        headingId="chain-title"
        columns={[
          'Run',
          ...(phone ? [] : ['Relation']),
          [
            <span key="status" className={phone ? 'sr-only' : undefined}>
              Status
            </span>,
            styles['state'],
          ],
          ['Started', styles['right']],
          ['Duration', styles['right']],
        ]}
      >
        {runs.map((run) => (
          <ChainRow key={run.runId} run={run} links={links} now={now} phone={phone} />
        ))}
        {/* A run that Temporal does not list any more, or not yet. */}
        {links
          .filter(({ runId }) => runId !== undefined && !listed.has(runId))
          .map((link) => (
            <tr key={link.runId}>
              <RunCell relation={link.relation} phone={phone}>
                <RunAnchor run={link}>{link.runId}</RunAnchor>
              </RunCell>
              <td className="t3" colSpan={3}>
                not in Temporal’s list
              </td>
            </tr>
          ))}
      </Table>
    </section>
  );
}

interface ChainRowProps {
  readonly run: WorkflowSummary;
  readonly links: readonly RunLink[];
  readonly now: number;
  readonly phone: boolean;
}

function ChainRow({ run, links, now, phone }: ChainRowProps) {
  const { address } = useRun();
  const outcome = outcomeOf(run.status);
  const started = millisOf(run.startTime);
  const closed = millisOf(run.closeTime);
  const here = run.runId === address.runId;
  const words = links.filter(({ runId }) => runId === run.runId).map(({ relation }) => relation);
  return (
    <tr data-here={here ? '' : undefined}>
      <RunCell relation={here ? 'This run' : words.join(', ')} phone={phone}>
        {here ? (
          run.runId
        ) : (
          <RunAnchor run={{ namespace: address.namespace, workflowId: run.workflowId, runId: run.runId }}>
            {run.runId}
          </RunAnchor>
        )}
      </RunCell>
      <td>
        <span className={styles['status']}>
          <OutcomeGlyph outcome={outcome} />
          <span className={phone ? 'sr-only' : undefined}>{outcomeText[outcome]}</span>
        </span>
      </td>
      <td className={styles['right']}>{started === undefined ? '–' : <Moment at={started} />}</td>
      <td className={styles['right']}>
        {started === undefined
          ? '–'
          : closed === undefined
            ? formatTicking(now - started)
            : formatDurationShort(closed - started)}
      </td>
    </tr>
  );
}

interface RunCellProps {
  readonly relation: string;
  readonly phone: boolean;
  /** The id of the run. */
  readonly children: ReactNode;
}

/** A run and its relation to the run on the page. */
function RunCell({ relation, phone, children }: RunCellProps) {
  if (phone)
    return (
      <td>
        <div className="mono ellipsis">{children}</div>
        {relation === '' ? null : <div className="small t2">{relation}</div>}
      </td>
    );
  return (
    <>
      <td className="mono">{children}</td>
      <td className="t2">{relation}</td>
    </>
  );
}

/** Signals, cancel requests and Nexus operations between this run and others. */
function Messages() {
  const { address } = useRun();
  const { links, complete } = useMessageLinks();
  if (links.length === 0) return null;
  return (
    <section className={styles['section']} aria-labelledby="messages-title">
      <header className={styles['head']}>
        <h3 id="messages-title">Signals and Nexus operations</h3>
        {complete ? null : <span className="small t3">of the first 2,000 in the history</span>}
      </header>
      <dl className={styles['links']}>
        {links.map((link) => (
          <div key={JSON.stringify(link)}>
            <dt>{link.relation}</dt>
            <dd>
              <RunAnchor run={link}>{linkText(link, address.namespace)}</RunAnchor>{' '}
              {link.eventId === undefined ? null : <span className="t3">event {link.eventId}</span>}{' '}
              {link.runId === undefined ? (
                <span className="t3">latest run</span>
              ) : (
                <span className="mono t3">{escapeInvisible(link.runId)}</span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
