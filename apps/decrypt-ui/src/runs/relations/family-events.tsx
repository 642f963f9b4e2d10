import { clsx } from 'clsx';
import { type CSSProperties, type ReactNode, type RefCallback, useState } from 'react';
import { groupName, type PendingWork, pendingWork } from '@temporal-kms/histories/events';
import { formatDurationShort, formatTicking } from '../../ui/format/duration.ts';
import { plural } from '../../ui/format/number.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { groupOutcome, groupSummary, pendingByGroup } from '../events/describe-group.ts';
import type { Group } from '../events/history.ts';
import { CategoryIcon } from '../history/category-icon.tsx';
import { LabelText, SummaryCell } from '../history/summary-cell.tsx';
import { outcomeText } from '../outcome.ts';
import { RunAnchor } from '../run-link.tsx';
import { RunProvider, useRun } from '../run/run-context.tsx';
import { extent, groupSpans } from '../timeline/spans.ts';
import { Bars, type Waterfall } from '../timeline/waterfall.tsx';
import styles from './family-table.module.css';
import type { FamilyRun } from './family.ts';

interface FamilyEventsProps {
  readonly run: FamilyRun;
  readonly level: number;
  readonly waterfall: Waterfall;
  readonly now: number;
}

/** Number of event groups rendered at first; the user can request more. */
const FIRST_GROUPS = 50;

/** Number of event groups to scroll into view when they appear. */
const GROUPS_IN_VIEW = 3;

/** Scrolls a new row into view, unless the user has scrolled away from the row above it. */
function showRow(row: Element | null) {
  const above = row?.previousElementSibling;
  if (above && isInView(above)) row.scrollIntoView({ block: 'nearest' });
}

/** Returns whether the top of an element is in view. */
function isInView(element: Element): boolean {
  const { left, top } = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(left + 1, top + 1));
}

/** The event groups of a run in the family, as rows below it on the same time scale. Loads the run's history. */
export function FamilyEvents({ run, ...props }: FamilyEventsProps) {
  const { namespace } = useRun().address;
  return (
    <RunProvider
      address={{ namespace, workflowId: run.workflowId, runId: run.runId }}
      loading={<MessageRow>Loading the events…</MessageRow>}
      renderFailed={(error, retry) => (
        <MessageRow>
          The events could not be loaded: {error.message}{' '}
          <button type="button" className={styles['more']} onClick={retry}>
            Try again
          </button>
        </MessageRow>
      )}
    >
      <GroupRows {...props} />
    </RunProvider>
  );
}

const MessageRow = ({ children }: { children: ReactNode }) => (
  <tr>
    <td colSpan={5} className={styles['message']}>
      {children}
    </td>
  </tr>
);

/** Returns whether to show a group. Workflow tasks say nothing about the workflow itself. */
const isShown = ({ category }: Group) => category !== 'task';

function GroupRows(props: Omit<FamilyEventsProps, 'run'>) {
  const { follow, description } = useRun();
  const [most, setMost] = useState(FIRST_GROUPS);
  const groups = follow.history.groups.filter(isShown);
  const pending = pendingByGroup(follow.history.groups, pendingWork(description));
  if (groups.length === 0) {
    return <MessageRow>{follow.phase === 'loading' ? 'Loading the events…' : 'No events yet'}</MessageRow>;
  }
  return (
    <>
      {groups.slice(0, most).map((group, index) => (
        <GroupRow
          key={group.id}
          ref={index < GROUPS_IN_VIEW ? showRow : undefined}
          group={group}
          pending={pending.get(group.id)}
          {...props}
        />
      ))}
      {groups.length > most ? (
        <MessageRow>
          <button type="button" className={styles['more']} onClick={() => setMost(most + 4 * FIRST_GROUPS)}>
            Show more of the {plural(groups.length, 'event group')}
          </button>
        </MessageRow>
      ) : null}
    </>
  );
}

interface GroupRowProps extends Omit<FamilyEventsProps, 'run'> {
  readonly group: Group;
  readonly pending: PendingWork | undefined;
  readonly ref: RefCallback<Element> | undefined;
}

function GroupRow({ ref, group, pending, level, waterfall, now }: GroupRowProps) {
  const { address, follow, open } = useRun();
  const [head] = group.events;
  const outcome = groupOutcome(group, open, pending);
  const end = open ? now : (follow.history.times.at(-1) ?? now);
  const spans = groupSpans(group, { now: end, runOpen: open, pending });
  const { from, to } = extent(spans);
  const live = group.open && open && outcome !== undefined;
  const style: CSSProperties & Record<'--level', number> = { '--level': level };
  return (
    <tr ref={ref} data-event={group.id}>
      <th scope="row" className={styles['run']}>
        <div className={clsx(styles['name'], styles['event'])} style={style}>
          <CategoryIcon category={group.category} />
          <RunAnchor run={{ ...address, eventId: group.id }} className="ellipsis">
            <LabelText label={groupName(group)} />
          </RunAnchor>
          {outcome ? (
            <>
              <OutcomeGlyph outcome={outcome} />
              <span className="sr-only">{outcomeText[outcome]}</span>
            </>
          ) : null}
        </div>
      </th>
      <td className={styles['type']}>
        <div className="ellipsis">
          <SummaryCell summary={groupSummary(group, pending)} now={now} />
        </div>
      </td>
      <td className={styles['started']}>
        <Moment at={head.at} />
      </td>
      <td className={styles['time']}>
        {live
          ? formatTicking(to - from)
          : group.events.length > 1 || group.open
            ? formatDurationShort(to - from)
            : null}
      </td>
      <td className={styles['axis']} aria-hidden="true">
        <div className={styles['track']}>
          <Bars spans={spans} scale={waterfall.scale} />
        </div>
      </td>
    </tr>
  );
}
