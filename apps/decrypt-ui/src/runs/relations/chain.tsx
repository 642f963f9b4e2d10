import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';
import { formatDurationShort, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { shortRunId } from '../../ui/format/run-id.ts';
import { Table } from '../../ui/page/table.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useSize } from '../../ui/use-size.ts';
import { useRunsApi } from '../api.ts';
import type { RunLink } from '../events/run-links.ts';
import { outcomeText } from '../outcome.ts';
import { runsQuery } from '../queries.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { AxisLabels, Bars, type Waterfall } from '../timeline/waterfall.tsx';
import { type FamilyRun, fromSummary } from './family.ts';
import styles from './relations-tab.module.css';
import { runSpans, useRunsWaterfall } from './runs-waterfall.ts';
import { useLineage } from './use-relations.ts';

/** The runs with the same workflow id, newest first, on one time scale: continued, retried, reset and started again. */
export function Chain() {
  const api = useRunsApi();
  const { address } = useRun();
  const { namespace, workflowId } = address;
  const { data } = useQuery(runsQuery(api, namespace, workflowId));
  const runs = useMemo(
    () =>
      (data?.workflows ?? []).map(fromSummary).toSorted((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0)),
    [data],
  );
  const links = useLineage().filter((link) => link.workflowId === workflowId && link.runId !== undefined);
  const listed = new Set(runs.map(({ runId }) => runId));
  // A phone has no space for the bars or for the relation column, so it shows the relation below the id.
  const phone = useNarrowerThan(PHONE_BELOW);
  const [axisRef, axis] = useSize();
  const { waterfall, present, isLive } = useRunsWaterfall({ runs, busy: runs, width: axis.width });
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
          ...(phone
            ? []
            : [
                [
                  <>
                    <span className="sr-only">Waterfall</span>
                    <div ref={axisRef} className={styles['track']}>
                      <AxisLabels waterfall={waterfall} now={isLive ? present : undefined} />
                    </div>
                  </>,
                  styles['axis'],
                ] as const,
              ]),
        ]}
      >
        {runs.map((run) => (
          <ChainRow
            key={run.runId}
            run={run}
            links={links}
            now={present}
            phone={phone}
            waterfall={waterfall}
          />
        ))}
        {/* Runs that Temporal no longer lists, or does not list yet. */}
        {links
          .filter(({ runId }) => runId !== undefined && !listed.has(runId))
          .map((link) => (
            <tr key={link.runId}>
              <RunCell relation={link.relation} phone={phone}>
                <RunAnchor run={link}>{link.runId && idText(link.runId, phone)}</RunAnchor>
              </RunCell>
              <td className="t3" colSpan={phone ? 3 : 4}>
                not in Temporal’s list
              </td>
            </tr>
          ))}
      </Table>
    </section>
  );
}

/** Returns a run's id or, on a phone, only the end of the id, which the page's header also shows. */
const idText = (runId: string, phone: boolean) => (phone ? shortRunId(runId) : runId);

interface ChainRowProps {
  readonly run: FamilyRun;
  readonly links: readonly RunLink[];
  readonly now: number;
  readonly phone: boolean;
  readonly waterfall: Waterfall;
}

function ChainRow({ run, links, now, phone, waterfall }: ChainRowProps) {
  const { address } = useRun();
  const { outcome, startedAt, closedAt } = run;
  const here = run.runId === address.runId;
  const id = idText(run.runId, phone);
  const words = links.filter(({ runId }) => runId === run.runId).map(({ relation }) => relation);
  return (
    <tr data-here={here ? '' : undefined}>
      <RunCell relation={here ? 'This run' : words.join(', ')} phone={phone}>
        {here ? (
          id
        ) : (
          <RunAnchor run={{ namespace: address.namespace, workflowId: run.workflowId, runId: run.runId }}>
            {id}
          </RunAnchor>
        )}
      </RunCell>
      <td>
        <span className={styles['status']}>
          <OutcomeGlyph outcome={outcome} />
          <span className={phone ? 'sr-only' : undefined}>{outcomeText[outcome]}</span>
        </span>
      </td>
      <td className={styles['right']}>{startedAt === undefined ? '–' : <Moment at={startedAt} />}</td>
      <td className={styles['right']}>
        {startedAt === undefined
          ? '–'
          : closedAt === undefined
            ? formatTicking(now - startedAt)
            : formatDurationShort(closedAt - startedAt)}
      </td>
      {phone ? null : (
        <td className={styles['axis']} aria-hidden="true">
          <div className={styles['track']}>
            <Bars spans={runSpans(run, now)} scale={waterfall.scale} />
          </div>
        </td>
      )}
    </tr>
  );
}

interface RunCellProps {
  readonly relation: string;
  readonly phone: boolean;
  /** The run's id. */
  readonly children: ReactNode;
}

/** A cell with a run and its relation to the run on the page. */
function RunCell({ relation, phone, children }: RunCellProps) {
  if (phone)
    return (
      <td>
        <div className="mono">{children}</div>
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
