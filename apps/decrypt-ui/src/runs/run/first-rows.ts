import type { PayloadRef } from '@temporal-kms/codec-api';
import { groupName, type Label, type PendingWork, pendingWork } from '@temporal-kms/histories/events';
import { eventSummary, groupSummary, pendingByGroup, type Summary } from '../events/describe-group.ts';
import type { History } from '../events/history.ts';
import { type Row, rowsOf } from '../events/rows.ts';
import type { WorkflowSearch } from '../run-params.ts';
import type { RunSession } from './run-session.ts';

/** The rows of a history that a page will show first. */
export interface FirstRows {
  /** The address's parameters, which determine how the page shows the history. */
  readonly search: WorkflowSearch;
  /** Maximum number of rows in view. */
  readonly count: number;
}

/** Milliseconds for which the payloads stay marked as in view. By then, the page has rendered the rows. */
const HOLD = 2_000;

/**
 * When the events of the first rows arrive, briefly marks the rows' payloads as in view, so that they are
 * requested before the page is rendered. Does nothing for a page that opens on another tab or at an event, or
 * for a history that already has events.
 * @returns a function that takes the payloads out of view
 */
export function viewFirstRows(
  { history, payloads: { decoder }, store }: RunSession,
  rows: FirstRows,
): () => void {
  const { tab = 'history', ev } = rows.search;
  if (tab !== 'history' || ev !== undefined || history.getState().history.events.length > 0)
    return () => undefined;
  let leave: (() => void)[] = [];
  const end = () => {
    stop();
    for (const one of leave) one();
  };
  const stop = history.subscribe(({ history: known }) => {
    if (known.events.length === 0) return;
    stop();
    const { description } = store.getState();
    const pending = pendingByGroup(known.groups, description ? pendingWork(description) : []);
    leave = refsOf(known, rows, pending).map((ref) => decoder.view(ref));
    setTimeout(end, HOLD);
  });
  return end;
}

type PendingByGroup = ReturnType<typeof pendingByGroup>;

function refsOf(history: History, { search, count }: FirstRows, pending: PendingByGroup): PayloadRef[] {
  const { view = 'groups', tasks = false } = search;
  const rows = rowsOf(history, { view, tasks, expanded: new Set() });
  const refs = new Set<PayloadRef>();
  for (let index = 0; index < Math.min(count, rows.length); index += 1) {
    const row = rows.at(index);
    for (const ref of row ? shownRefs(row, pending.get(row.group.id)) : []) refs.add(ref);
  }
  return [...refs];
}

/** Returns the payloads that a row's cells show. */
function shownRefs(row: Row, pending: PendingWork | undefined): PayloadRef[] {
  const label: Label = groupName(row.group);
  const summary = row.kind === 'event' ? eventSummary(row.event) : groupSummary(row.group, pending);
  return [label.ref, summaryRef(summary)].filter((ref) => ref !== undefined);
}

function summaryRef(summary: Summary): PayloadRef | undefined {
  if (summary.kind === 'payload') return summary.ref;
  return summary.kind === 'failure' ? summary.level.encoded : undefined;
}
