import { escapeInvisible } from '@temporal-kms/codec-api';
import { ChevronDown, ChevronRight, ListTree } from 'lucide-react';
import { type CSSProperties, Fragment, useMemo, useState } from 'react';
import { formatDurationShort, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { useSize } from '../../ui/use-size.ts';
import { outcomeText } from '../outcome.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { AxisLabels, AxisLines, Bars, type Waterfall } from '../timeline/waterfall.tsx';
import { FamilyEvents } from './family-events.tsx';
import styles from './family-table.module.css';
import type { FamilyRow, FamilyRun } from './family.ts';
import { runSpans, useRunsWaterfall } from './runs-waterfall.ts';

interface FamilyTableProps {
  readonly rows: readonly FamilyRow[];
  readonly onToggle: (runId: string) => void;
}

/** Number of rows rendered at first; the user can request more. */
const FIRST_ROWS = 200;

/** A family's runs as a tree, with a waterfall on one time scale. */
export function FamilyTable({ rows, onToggle }: FamilyTableProps) {
  const [axisRef, axis] = useSize();
  const [shown, setShown] = useState(FIRST_ROWS);
  /** The runs that show their events below them. */
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const runs = useMemo(() => rows.map(({ run }) => run), [rows]);
  // Only runs without children count as busy, because a run with children mostly waits for its children.
  const busy = useMemo(() => rows.filter(({ children }) => children === 0).map(({ run }) => run), [rows]);
  const { waterfall, present, isLive } = useRunsWaterfall({ runs, busy, width: axis.width });
  const runNow = isLive ? present : undefined;
  return (
    <div className={styles['frame']}>
      <table className={styles['table']} aria-labelledby="family-title">
        <thead>
          <tr>
            <th scope="col" className={styles['run']}>
              Run
            </th>
            <th scope="col" className={styles['type']}>
              {opened.size > 0 ? 'Type or summary' : 'Type'}
            </th>
            <th scope="col" className={styles['started']}>
              Started
            </th>
            <th scope="col" className={styles['time']}>
              Duration
            </th>
            <th scope="col" className={styles['axis']}>
              <span className="sr-only">Waterfall</span>
              <div ref={axisRef} className={styles['track']}>
                <AxisLabels waterfall={waterfall} now={runNow} />
              </div>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shown).map((row) => (
            <Fragment key={row.run.runId}>
              <Row
                row={row}
                waterfall={waterfall}
                now={present}
                opened={opened.has(row.run.runId)}
                onToggle={onToggle}
                onOpen={() => setOpened((known) => toggled(known, row.run.runId))}
              />
              {opened.has(row.run.runId) ? (
                <FamilyEvents run={row.run} level={row.level} waterfall={waterfall} now={present} />
              ) : null}
            </Fragment>
          ))}
        </tbody>
      </table>
      <div className={styles['lines']} style={{ width: axis.width }} aria-hidden="true">
        <AxisLines waterfall={waterfall} now={runNow} />
      </div>
      {rows.length > shown ? (
        <button type="button" className={styles['more']} onClick={() => setShown(shown + FIRST_ROWS)}>
          Show more of the {plural(rows.length, 'run')}
        </button>
      ) : null}
    </div>
  );
}

const toggled = (ids: ReadonlySet<string>, id: string) =>
  ids.has(id) ? new Set([...ids].filter((other) => other !== id)) : new Set([...ids, id]);

interface RowProps {
  readonly row: FamilyRow;
  readonly waterfall: Waterfall;
  readonly now: number;
  /** Whether the run's events are shown. */
  readonly opened: boolean;
  readonly onOpen: () => void;
  readonly onToggle: (runId: string) => void;
}

function Row({ row, waterfall, now, opened, onToggle, onOpen }: RowProps) {
  const { address } = useRun();
  const { run, level, children, expanded, which } = row;
  const here = run.runId === address.runId;
  const id = escapeInvisible(run.workflowId);
  const style: CSSProperties & Record<'--level', number> = { '--level': level - 1 };
  return (
    <tr data-here={here ? '' : undefined}>
      <th scope="row" className={styles['run']}>
        <div className={styles['name']} style={style}>
          {children > 0 ? (
            <button
              type="button"
              className={styles['twisty']}
              aria-expanded={expanded}
              aria-label={`Children of ${[id, which].filter(Boolean).join(' ')}`}
              onClick={() => onToggle(run.runId)}
            >
              {expanded ? <ChevronDown size={14} /> : <ChevronRight size={14} />}
            </button>
          ) : (
            <span className={styles['twisty']} />
          )}
          <OutcomeGlyph outcome={run.outcome} />
          <span className="sr-only">{outcomeText[run.outcome]}</span>
          {here ? (
            <span className="ellipsis strong" data-tip={id}>
              {id}
            </span>
          ) : (
            <RunAnchor run={{ ...run, namespace: address.namespace }} className="ellipsis">
              {id}
              {which === undefined ? null : <span className="t3"> {which}</span>}
            </RunAnchor>
          )}
          {here ? <span className={styles['here']}>this run</span> : null}
          {children > 0 && !expanded ? <span className="tag t3">{children}</span> : null}
          <span className="spacer" />
          <button
            type="button"
            className={styles['events']}
            aria-expanded={opened}
            aria-label={`Events of ${[id, which].filter(Boolean).join(' ')}`}
            data-tip={opened ? 'Hide the events of this run' : 'Show the events of this run here'}
            onClick={onOpen}
          >
            <ListTree size={14} />
          </button>
        </div>
      </th>
      <td className={styles['type']}>
        <div className="ellipsis t2">{escapeInvisible(run.type) || '–'}</div>
      </td>
      <td className={styles['started']}>
        {run.startedAt === undefined ? '–' : <Moment at={run.startedAt} />}
      </td>
      <td className={styles['time']}>{durationOf(run, now)}</td>
      <td className={styles['axis']} aria-hidden="true">
        <div className={styles['track']}>
          <Bars spans={runSpans(run, now)} scale={waterfall.scale} />
        </div>
      </td>
    </tr>
  );
}

function durationOf({ startedAt, closedAt, open }: FamilyRun, now: number): string {
  if (startedAt === undefined) return '–';
  if (closedAt !== undefined) return formatDurationShort(closedAt - startedAt);
  return open ? formatTicking(now - startedAt) : '–';
}
