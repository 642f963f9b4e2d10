import { eventPayloads, type ProtoEvent } from '@temporal-kms/histories/payloads';
import { type HistorySummary, SummaryBuilder } from './history-summary.ts';
import { hasOwnType, isOwnRun, isOwnType } from './own-runs.ts';
import type { ListedRun, ScanSource } from '../temporal/scan-source.ts';
import { milliseconds } from '../temporal/times.ts';

const EVENT = 'temporal.api.history.v1.HistoryEvent';
const DESCRIPTION = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';

/** The result of reading a run. */
export interface ReadRun {
  readonly summary: HistorySummary;
  /** Whether the history contains its closing event, and therefore will not change. */
  readonly isClosed: boolean;
  /** When the last event was written, in milliseconds since 1970. */
  readonly lastEventTime: number | undefined;
}

/**
 * Reads everything that Temporal stores about a run. Returns undefined if the run no longer exists, or is
 * part of a scan on Temporal.
 *
 * Reads an open run's description before its events. The description contains the heartbeat details of
 * pending activities, which the server moves into an event when the activity times out. If the events were
 * read first, the details could move between the two reads, and the scan would miss them.
 *
 * @throws ScanError
 */
export async function readRun(
  source: Pick<ScanSource, 'describeRun' | 'history'>,
  run: ListedRun,
): Promise<ReadRun | undefined> {
  let builder: SummaryBuilder | undefined;
  if (run.isOpen) {
    const description = await source.describeRun(run);
    if (description === undefined) return undefined;
    builder = new SummaryBuilder({ isOwnRun: isOwnType(description.workflowExecutionInfo?.type?.name) });
    // Leaves out the fields of the description that repeat the memo and the metadata in events.
    builder.add(DESCRIPTION, {
      ...description,
      workflowExecutionInfo: undefined,
      executionConfig: undefined,
    });
  }
  let first: ProtoEvent | undefined;
  let last: ProtoEvent | undefined;
  for await (const events of source.history(run)) {
    first ??= events[0];
    builder ??= new SummaryBuilder({ isOwnRun: hasOwnType(first) });
    addEvents(builder, events, run.workflowId);
    last = events.at(-1) ?? last;
  }
  if (last === undefined || builder === undefined) return undefined;
  const summary = builder.build();
  if (isOwnRun(first, summary)) return undefined;
  return { summary, isClosed: isClosing(last), lastEventTime: eventTime(last) };
}

/** Counts the payloads of events. */
export function addEvents(builder: SummaryBuilder, events: readonly ProtoEvent[], workflowId: string): void {
  const home = { type: 'workflow' as const, namespace: '', workflowId };
  for (const event of events) builder.add(EVENT, event, eventPayloads(event, home));
}

/** Returns the time of an event in milliseconds since 1970. */
export const eventTime = ({ eventTime: time }: ProtoEvent): number | undefined => milliseconds(time);

/** Whether the event closes its run. */
const isClosing = (event: ProtoEvent): boolean =>
  Boolean(
    event.workflowExecutionCompletedEventAttributes ??
    event.workflowExecutionFailedEventAttributes ??
    event.workflowExecutionTimedOutEventAttributes ??
    event.workflowExecutionCanceledEventAttributes ??
    event.workflowExecutionTerminatedEventAttributes ??
    event.workflowExecutionContinuedAsNewEventAttributes,
  );
