import { clsx } from 'clsx';
import { ChevronDown, ChevronRight } from 'lucide-react';
import { memo, type ReactNode } from 'react';
import {
  type Category,
  eventTitle,
  groupName,
  numberAt,
  type Outcome,
  outcomeOfEvent,
  type PendingWork,
} from '@temporal-kms/histories/events';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { rowBadges } from '../../payloads/payload-keys.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { formatDuration, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { formatMomentExact } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import {
  attemptOf,
  categoryText,
  eventSummary,
  groupOutcome,
  groupSummary,
} from '../events/describe-group.ts';
import type { RecordedEvent } from '../events/history.ts';
import type { Row } from '../events/rows.ts';
import { outcomeText } from '../outcome.ts';
import { failuresOf } from '../run/failures-seen.ts';
import { useRun } from '../run/run-context.tsx';
import { eventSpan, extent, groupSpans, type Span } from '../timeline/spans.ts';
import { Bars, type Waterfall } from '../timeline/waterfall.tsx';
import { CategoryIcon } from './category-icon.tsx';
import styles from './history-row.module.css';
import { RowLink } from './row-link.tsx';
import { LabelText, SummaryCell } from './summary-cell.tsx';

interface HistoryCellsProps {
  readonly row: Row;
  readonly phone: boolean;
  readonly runOpen: boolean;
  readonly pending: PendingWork | undefined;
  readonly attemptsSeen: readonly number[] | undefined;
  readonly waterfall: Waterfall;
  readonly now: number;
  /** Number of places in the row's payloads that match the search. */
  readonly places: number;
  readonly onToggle: (id: number) => void;
}

/** The cells of a row for a group, a single event, or unrecorded attempts. */
export const HistoryCells = memo(function HistoryCells(props: HistoryCellsProps) {
  const cells = useCells(props);
  return props.phone ? <PhoneCells {...props} cells={cells} /> : <GridCells {...props} cells={cells} />;
});

/** The contents of a row's cells, for both layouts. */
interface Cells {
  readonly number: string;
  readonly name: ReactNode;
  readonly outcome: Outcome | undefined;
  readonly summary: ReactNode;
  readonly start: number | undefined;
  readonly duration: ReactNode;
  readonly spans: readonly Span[];
  readonly note: string | undefined;
  readonly keys: ReactNode;
}

function useCells(props: HistoryCellsProps): Cells {
  const findings = useFindings();
  const { usage, failuresSeen } = useRun();
  const { row } = props;
  const keysOf = (events: readonly RecordedEvent[]) => {
    const stubs = events.flatMap(({ payloads }) => payloads);
    const plaintext = events.some(({ inPlaintext }) => inPlaintext);
    return <KeyBadges badges={rowBadges(stubs, findings, usage, plaintext)} />;
  };
  switch (row.kind) {
    case 'group':
      return groupCells(row, props, keysOf(row.group.events));
    case 'event':
      return eventCells(row, keysOf([row.event]));
    default: {
      const { from, to, attempt, group } = row;
      const seen = failuresOf(failuresSeen, group).length;
      return {
        number: '',
        name: <span className="t3">{attempt === 2 ? 'Attempt 1' : `Attempts 1–${attempt - 1}`}</span>,
        outcome: undefined,
        summary: (
          <span className="t3 ellipsis">
            not recorded by Temporal
            {seen > 0 ? `; the inspector has ${plural(seen, 'failure')} that this page saw` : ''}
          </span>
        ),
        start: undefined,
        duration: <span className="t3">{formatDuration(to - from)}</span>,
        spans: [{ kind: 'unrecorded', from, to, outcome: 'neutral' }],
        note: undefined,
        keys: null,
      };
    }
  }
}

function groupCells(
  row: Extract<Row, { kind: 'group' }>,
  { runOpen, pending, attemptsSeen, now }: HistoryCellsProps,
  keys: ReactNode,
): Cells {
  const { group } = row;
  const [head] = group.events;
  const outcome = groupOutcome(group, runOpen, pending);
  const attempt = attemptOf(group, pending);
  const spans = groupSpans(group, { now, runOpen, pending, attemptsSeen });
  const { from, to } = extent(spans);
  const live = group.open && runOpen && outcome !== undefined;
  const single = group.events.length === 1;
  return {
    number: String(group.id),
    name: (
      <>
        <span className={styles['name']}>
          <LabelText label={groupName(group)} />
        </span>
        {attempt > 1 ? <span className={styles['times']}>×{attempt}</span> : null}
        <RowLink group={group} />
      </>
    ),
    outcome:
      single && !group.open && !['local', 'update', 'workflow'].includes(group.category)
        ? undefined
        : outcome,
    summary: <SummaryCell summary={groupSummary(group, pending)} now={now} />,
    start: head.at,
    duration: live ? (
      <span className={styles['live']} data-outcome={outcome}>
        {formatTicking(to - from)}
      </span>
    ) : single && !group.open ? null : (
      formatDuration(to - from)
    ),
    spans,
    note: attempt > 1 && !live ? `×${attempt}` : undefined,
    keys,
  };
}

const isStart = (event: RecordedEvent) => event.eventName === 'ActivityTaskStarted';

/** Categories whose groups are named after their event. */
const namedByEvent: ReadonlySet<Category> = new Set(['workflow', 'task', 'other']);

function eventCells(row: Extract<Row, { kind: 'event' }>, keys: ReactNode): Cells {
  const { event, group, level } = row;
  const attempt = isStart(event) ? numberAt(event.attributes, 'attempt') : undefined;
  const outcome = outcomeOfEvent(event);
  const started = group.events.find(isStart);
  return {
    number: String(event.eventId),
    name:
      level === 1 && !namedByEvent.has(group.category) ? (
        <>
          <span className={styles['name']}>
            <LabelText label={groupName(group)} />
          </span>
          <span className={styles['part']}>{eventTitle(event)}</span>
        </>
      ) : (
        <span className={level === 1 ? styles['name'] : undefined}>
          {eventTitle(event)}{' '}
          {attempt !== undefined && attempt > 1 ? <span className="t3">attempt {attempt}</span> : null}
        </span>
      ),
    outcome: level === 1 ? outcome : undefined,
    summary: <SummaryCell summary={eventSummary(event)} />,
    start: event.at,
    duration:
      outcome !== undefined && started && started !== event ? formatDuration(event.at - started.at) : null,
    spans: [eventSpan(event)],
    note: undefined,
    keys,
  };
}

type PartProps = HistoryCellsProps & { readonly cells: Cells };

function GridCells({ row, cells, waterfall, places, onToggle }: PartProps) {
  const format = useTimeFormat();
  const { start } = cells;
  return (
    <>
      <div role="gridcell" className={styles['number']}>
        {cells.number}
      </div>
      <div role="gridcell" className={styles['event']}>
        {row.level === 2 ? <i className={styles['tree']} /> : <Lead row={row} onToggle={onToggle} />}
        {cells.name}
        {cells.outcome ? (
          <span className={styles['outcome']}>
            <OutcomeGlyph outcome={cells.outcome} />
            <span className="sr-only">{outcomeText[cells.outcome]}</span>
          </span>
        ) : null}
      </div>
      <div role="gridcell" className={styles['summary']}>
        {cells.summary}
        <Places count={places} />
      </div>
      <div
        role="gridcell"
        className={styles['time']}
        data-tip={start === undefined ? undefined : formatMomentExact(start, format)}
      >
        {start === undefined ? null : waterfall.offset(start)}
      </div>
      <div role="gridcell" className={styles['time']}>
        {cells.duration}
      </div>
      <div role="gridcell" className={styles['waterfall']} aria-hidden="true">
        <Bars spans={cells.spans} scale={waterfall.scale} note={cells.note} />
      </div>
      <div role="gridcell" className={styles['keys']}>
        {cells.keys}
      </div>
    </>
  );
}

function Places({ count }: { count: number }) {
  return count === 0 ? null : (
    <span className={styles['places']}>
      {count}
      <span className="sr-only"> {count === 1 ? 'match' : 'matches'}</span>
    </span>
  );
}

/** The button that expands a group, and the group's icon and category. */
function Lead({ row, onToggle }: Pick<PartProps, 'row' | 'onToggle'>) {
  const expandable = row.kind === 'group' && row.expandable;
  return (
    <>
      {expandable ? (
        <button
          type="button"
          tabIndex={-1}
          className={styles['twisty']}
          aria-label={row.expanded ? 'Collapse' : 'Expand'}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(row.group.id);
          }}
          onDoubleClick={(event) => event.stopPropagation()}
        >
          {row.expanded ? <ChevronDown size={14} /> : <ChevronRight size={14} />}
        </button>
      ) : (
        <span className={styles['twisty']} />
      )}
      <span className={styles['icon']}>
        <CategoryIcon category={row.group.category} />
      </span>
      <span className={styles['category']}>{categoryText[row.group.category]}</span>
    </>
  );
}

/** Two lines of text, with the bars below them. */
function PhoneCells({ row, cells, waterfall, places }: PartProps) {
  return (
    <>
      <div role="gridcell" className={styles['lines']}>
        {row.level === 2 ? (
          <i className={styles['tree']} />
        ) : (
          <span className={styles['icon']}>
            <CategoryIcon category={row.group.category} size={16} />
          </span>
        )}
        <div className={styles['text']}>
          <div className={styles['line']}>
            {row.level === 1 ? (
              <span className={clsx(styles['part'], row.group.category !== 'task' && styles['kind'])}>
                {categoryText[row.group.category]}
              </span>
            ) : null}
            {cells.name}
            <span className="spacer" />
            <span className="t2">{cells.duration}</span>
            {cells.outcome ? (
              <>
                <OutcomeGlyph outcome={cells.outcome} />
                <span className="sr-only">{outcomeText[cells.outcome]}</span>
              </>
            ) : null}
          </div>
          <div className={styles['line']}>
            {cells.summary}
            <Places count={places} />
            <span className="spacer" />
            {cells.keys}
          </div>
        </div>
      </div>
      <div role="gridcell" className={styles['track']} aria-hidden="true">
        <Bars spans={cells.spans} scale={waterfall.scale} />
      </div>
    </>
  );
}
