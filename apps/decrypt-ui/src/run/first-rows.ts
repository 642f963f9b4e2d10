import type { PayloadRef } from '@temporal-kms/codec-api';
import { eventSummary, groupName, groupSummary, type Label, type Summary } from '../model/describe-group.ts';
import type { History } from '../model/history.ts';
import { type Row, rowsOf } from '../model/rows.ts';
import type { WorkflowSearch } from './search.ts';
import type { RunSession } from './session.ts';

/** The rows of a history that a page shows first. */
export interface FirstRows {
  /** How the page shows the history. */
  readonly search: WorkflowSearch;
  /** At most this many rows are in view. */
  readonly count: number;
}

/**
 * Brings the payloads of the first rows into view as soon as their events arrive, so that the request for them does not wait
 * until the page is rendered. It does nothing for a page that begins elsewhere: with another tab or at an event, or with a
 * history that was on the screen before, which may be scrolled.
 * @returns a function that takes them out of view
 */
export function viewFirstRows({ history, decoder }: RunSession, rows: FirstRows): () => void {
  const { tab = 'history', ev } = rows.search;
  if (tab !== 'history' || ev !== undefined || history.getState().history.events.length > 0)
    return () => undefined;
  let leave: (() => void)[] = [];
  const stop = history.subscribe(({ history: known }) => {
    if (known.events.length === 0) return;
    stop();
    leave = refsOf(known, rows).map((ref) => decoder.view(ref));
  });
  return () => {
    stop();
    for (const one of leave) one();
  };
}

function refsOf(history: History, { search, count }: FirstRows): PayloadRef[] {
  const { view = 'groups', tasks = false } = search;
  const rows = rowsOf(history, { view, tasks, expanded: new Set() });
  const refs = new Set<PayloadRef>();
  for (let index = 0; index < Math.min(count, rows.length); index += 1) {
    const row = rows.at(index);
    for (const ref of row ? shownRefs(row) : []) refs.add(ref);
  }
  return [...refs];
}

/** The payloads that the cells of a row show. */
function shownRefs(row: Row): PayloadRef[] {
  const label: Label = groupName(row.group);
  const summary = row.kind === 'event' ? eventSummary(row.event) : groupSummary(row.group);
  return [label.ref, summaryRef(summary)].filter((ref) => ref !== undefined);
}

function summaryRef(summary: Summary): PayloadRef | undefined {
  if (summary.kind === 'payload') return summary.ref;
  return summary.kind === 'failure' ? summary.level.encoded : undefined;
}
