import { Link, X } from 'lucide-react';
import { lazy, type ReactNode, Suspense } from 'react';
import {
  enumAt,
  eventTitle,
  groupName,
  numberAt,
  outcomeOfEvent,
  textAt,
} from '@temporal-kms/histories/events';
import { tip } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { TabPanel, Tabs } from '../../ui/controls/tabs.tsx';
import { formatDuration, formatTicking } from '../../ui/format/duration.ts';
import { formatMomentExact } from '../../ui/format/time.ts';
import { SheetSize } from '../../ui/page/sheet-size.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { OutcomeChip } from '../../ui/text/outcome.tsx';
import { attemptOf, failureAttributes, groupOutcome, groupTitle } from '../events/describe-group.ts';
import type { Group, RecordedEvent } from '../events/history.ts';
import { CategoryIcon } from '../history/category-icon.tsx';
import { RevealEvents } from '../history/reveal-events.tsx';
import { LabelText } from '../history/summary-cell.tsx';
import type { HistoryView } from '../history/use-history-view.ts';
import { outcomeText } from '../outcome.ts';
import type { Pane } from '../run-params.ts';
import { failuresOf } from '../run/failures-seen.ts';
import { useRun, useRunNow } from '../run/run-context.tsx';
import { extent, groupSpans } from '../timeline/spans.ts';
import { EventLinks } from './event-links.tsx';
import styles from './inspector.module.css';
import { PayloadsPane, shownPayloads } from './payloads-pane.tsx';

// These panes are loaded on demand, because few visits open them.
const AttributesPane = lazy(async () => ({
  default: (await import('./attributes-pane.tsx')).AttributesPane,
}));
const FailurePane = lazy(async () => ({ default: (await import('./failure-pane.tsx')).FailurePane }));
const RawPane = lazy(async () => ({ default: (await import('./raw-pane.tsx')).RawPane }));
const CryptoPane = lazy(async () => ({ default: (await import('./crypto-pane.tsx')).CryptoPane }));

interface InspectorProps {
  readonly group: Group;
  readonly view: HistoryView;
  readonly pane: Pane;
  readonly onPane: (pane: Pane) => void;
}

/** Shows the details of the selected group, or of one of its events. */
export function Inspector({ group, view, pane, onPane }: InspectorProps) {
  const { address, failuresSeen } = useRun();
  const event = selectedEvent(group, view);
  const events: readonly RecordedEvent[] = event ? [event] : group.events;
  const pending = event ? undefined : view.pending.get(group.id);
  const seen = event ? [] : failuresOf(failuresSeen, group);
  const failed =
    seen.length > 0 ||
    pending?.lastFailure !== undefined ||
    events.some((candidate) => failureAttributes(candidate) !== undefined);
  const count = shownPayloads(events).length;
  // An event without a failure shows its payloads. The Failure tab stays chosen for the next event that has a failure.
  const shown = pane === 'failure' && !failed ? 'payloads' : pane;

  return (
    <aside className={styles['inspector']} aria-label="Inspector" data-inspector="" tabIndex={-1}>
      <div className={styles['head']}>
        <div className={styles['title']}>
          <span className="t3">
            <CategoryIcon category={group.category} size={16} />
          </span>
          <h2 className={styles['name']}>
            <Title group={group} />
          </h2>
          <State group={group} event={event} view={view} />
          <span className="spacer" />
          <RevealEvents events={events} pending={pending} />
          {address.file ? null : (
            <CopyButton what="link" text={() => location.href} glyph={<Link size={14} />} />
          )}
          <SheetSize of="the inspector" />
          <Button
            look="ghost"
            size="small"
            icon
            aria-label="Close"
            {...tip('inspector.close', 'Close')}
            onClick={view.close}
          >
            <X size={14} />
          </Button>
        </div>
        <Facts group={group} event={event} view={view} />
        <EventLinks events={events} />
      </div>
      <Tabs<Pane>
        label="Parts of this event"
        value={shown}
        className={styles['tabs']}
        barClassName={styles['bar']}
        items={[
          { value: 'payloads', text: 'Payloads', count },
          { value: 'attributes', text: 'Attributes' },
          ...(failed ? [{ value: 'failure' as const, text: 'Failure' }] : []),
          { value: 'raw', text: 'Raw' },
          { value: 'crypto', text: 'Crypto' },
        ]}
        onChange={onPane}
      >
        <TabPanel value="payloads" className={styles['panel']} takesFocus>
          <PayloadsPane events={events} pending={pending} onFailure={() => onPane('failure')} />
        </TabPanel>
        <TabPanel value="attributes" className={styles['panel']} takesFocus>
          <Suspense>
            <AttributesPane events={events} />
          </Suspense>
        </TabPanel>
        <TabPanel value="failure" className={styles['panel']}>
          <Suspense>
            <FailurePane events={events} pending={pending} seen={seen} />
          </Suspense>
        </TabPanel>
        <TabPanel value="raw" className={styles['panel']}>
          <Suspense>
            <RawPane events={events} />
          </Suspense>
        </TabPanel>
        <TabPanel value="crypto" className={styles['panel']}>
          <Suspense>
            <CryptoPane events={events} />
          </Suspense>
        </TabPanel>
      </Tabs>
    </aside>
  );
}

/** Returns the selected event, or undefined if the whole group is selected. */
function selectedEvent(group: Group, view: HistoryView): RecordedEvent | undefined {
  const { ev, one } = view.selection;
  if (view.view === 'groups' && ev === group.id && !one) return undefined;
  return group.events.find((event) => event.eventId === ev);
}

/** The group's name. Names of workflow events and workflow task events get a prefix: `Workflow failed`. */
function Title({ group }: { group: Group }) {
  if (group.category === 'workflow' || group.category === 'task') return groupTitle(group);
  return <LabelText label={groupName(group)} />;
}

/** The outcome of the group or of the selected event. */
function State({ group, event, view }: FactsProps) {
  const { open } = useRun();
  if (event && group.events.length > 1) {
    const own = outcomeOfEvent(event);
    return own ? (
      <OutcomeChip outcome={own}>{eventTitle(event)}</OutcomeChip>
    ) : (
      <span className="t2">{eventTitle(event)}</span>
    );
  }
  const outcome = groupOutcome(group, open, view.pending.get(group.id));
  const isInTitle = groupName(group).text === (outcome && outcomeText[outcome]);
  return outcome && !isInTitle ? <OutcomeChip outcome={outcome}>{outcomeText[outcome]}</OutcomeChip> : null;
}

interface FactsProps {
  readonly group: Group;
  readonly event: RecordedEvent | undefined;
  readonly view: HistoryView;
}

function Facts({ group, event, view }: FactsProps) {
  const { follow, open } = useRun();
  const format = useTimeFormat();
  const pending = view.pending.get(group.id);
  const live = open && group.open;
  const present = useRunNow(live);
  const now = open ? present : (follow.history.times.at(-1) ?? present);
  const [head] = group.events;
  const { from, to } = extent(groupSpans(group, { now, runOpen: open, pending }));
  const last = group.events.at(-1) ?? head;
  const attempt = attemptOf(group, pending);
  const most = pending?.maximumAttempts ?? numberAt(head.attributes, 'retryPolicy', 'maximumAttempts');
  const single = event ?? (group.events.length === 1 ? head : undefined);
  return (
    <dl className={styles['facts']}>
      {single ? (
        <>
          <Fact name="Event">{single.eventId}</Fact>
          <Fact name="Recorded">{formatMomentExact(single.at, format)}</Fact>
        </>
      ) : (
        <>
          <Fact name="Events">
            {head.eventId}–{last.eventId}
          </Fact>
          {group.category === 'activity' ? (
            <Fact name="Attempt">{most ? `${attempt} of ${most}` : attempt}</Fact>
          ) : null}
          <Fact name="Duration">{live ? formatTicking(to - from) : formatDuration(to - from)}</Fact>
        </>
      )}
      <Queue attributes={head.attributes} />
    </dl>
  );
}

/**
 * The task queue. The name of a sticky queue identifies a worker; the queue's `normalName` is the workflow's
 * own queue.
 */
function Queue({ attributes }: Pick<RecordedEvent, 'attributes'>) {
  const name = textAt(attributes, 'taskQueue', 'name');
  if (name === undefined) return null;
  if (enumAt('TASK_QUEUE_KIND_', attributes, 'taskQueue', 'kind') !== 'STICKY') {
    return <Fact name="Queue">{name}</Fact>;
  }
  const normal = textAt(attributes, 'taskQueue', 'normalName');
  return (
    <>
      {normal ? <Fact name="Queue">{normal}</Fact> : null}
      <Fact name="Sticky to worker">
        <span data-tip={name}>{name}</span>
      </Fact>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
