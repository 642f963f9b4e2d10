import { useInfiniteQuery } from '@tanstack/react-query';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { useMemo, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { plural } from '../../ui/format/number.ts';
import { useRunsApi } from '../api.ts';
import { linkText } from '../events/run-links.ts';
import { familyQuery } from '../queries.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { Chain } from './chain.tsx';
import { FamilyTable } from './family-table.tsx';
import { familyRows, familyRuns } from './family.ts';
import styles from './relations-tab.module.css';
import { useLineage, useMessageLinks } from './use-relations.ts';

/** The Relations tab: the family as a waterfall, runs with the same workflow id, and runs that exchange messages. */
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

/** The section with the runs that descend from the same root. */
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

/** The section with signals, cancel requests and Nexus operations between this run and others. */
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
                <span className="t3">
                  run <span className="mono">{escapeInvisible(link.runId)}</span>
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
