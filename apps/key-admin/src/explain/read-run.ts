import {
  type Attributes,
  payloadRefOf,
  type PayloadRef,
  type WorkflowStatus,
  workflowStatus,
} from '@temporal-kms/codec-api';
import {
  enumName,
  eventIdOf,
  eventJson,
  eventName,
  type ProtoEvent,
  type StoredPayload,
  storedPayload,
  workflowContext,
  writeMessage,
} from '@temporal-kms/histories/payloads';
import { closedAs, type RunEvent } from '@temporal-kms/histories/events';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import proto, { type temporal } from '@temporalio/proto';

/** A run as it was read, with a placeholder in place of each payload. */
export interface RunToExplain {
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
  readonly type: string | undefined;
  readonly status: WorkflowStatus;
  readonly events: readonly RunEvent[];
  /** The description in proto3 JSON, for a run that was read from Temporal. */
  readonly details?: Attributes;
  readonly payloads: ReadonlyMap<PayloadRef, StoredPayload>;
  /** Milliseconds since 1970: the present time, or the time of a file's last event. */
  readonly now: number;
}

type Description = temporal.api.workflowservice.v1.IDescribeWorkflowExecutionResponse;

interface RunSource {
  readonly namespace: string;
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
  readonly events: Iterable<ProtoEvent>;
  readonly description?: Description | undefined;
  readonly now?: number;
}

const ATTRIBUTES = /EventAttributes$/;
const DESCRIPTION = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';

/** Returns a run with placeholders, and its payloads by ref. */
export function runToExplain({
  namespace,
  workflowId,
  runId,
  events: source,
  description,
  now,
}: RunSource): RunToExplain {
  const home = workflowContext({ namespace, workflowId: workflowId ?? '' });
  const payloads = new Map<PayloadRef, StoredPayload>();
  const events: RunEvent[] = [];
  for (const event of source) {
    const eventId = eventIdOf(event);
    let n = 0;
    const json = eventJson(event, (location) => {
      const ref = payloadRefOf(eventId, n);
      n += 1;
      payloads.set(ref, storedPayload(location, event, home));
      return { $payload: ref };
    });
    events.push(runEvent(event, eventId, json));
  }
  let described = 0;
  const details =
    description &&
    writeMessage(DESCRIPTION, description, (location) => {
      const ref = payloadRefOf(0, described);
      described += 1;
      payloads.set(ref, { ...location, context: home });
      return { $payload: ref };
    });
  const last = events.at(-1);
  return {
    workflowId,
    runId,
    type: typeOf(events),
    status: statusOf(description) ?? closedAs(last?.eventName ?? '') ?? 'Running',
    events,
    ...(details === undefined ? {} : { details }),
    payloads,
    now: now ?? last?.at ?? 0,
  };
}

function runEvent(event: ProtoEvent, eventId: number, json: Record<string, unknown>): RunEvent {
  const { eventTime, eventType } = event;
  const name = Object.keys(json).find((key) => ATTRIBUTES.test(key));
  const userMetadata = recordAt(json, 'userMetadata');
  return {
    eventId,
    eventName: eventName(eventType ?? 0),
    at: Number(eventTime?.seconds ?? 0) * 1000 + Math.floor((eventTime?.nanos ?? 0) / 1e6),
    attributes: (name === undefined ? undefined : recordAt(json, name)) ?? {},
    ...(userMetadata && { userMetadata }),
  };
}

const recordAt = (json: Record<string, unknown>, key: string): Attributes | undefined => {
  const value = json[key];
  return isRecord(value) ? value : undefined;
};

function typeOf([first]: readonly RunEvent[]): string | undefined {
  const type = first?.attributes['workflowType'];
  return isRecord(type) && typeof type['name'] === 'string' ? type['name'] : undefined;
}

/** Returns the status as visibility queries spell it, for example `TimedOut`. */
function statusOf(description: Description | undefined): WorkflowStatus | undefined {
  const status = description?.workflowExecutionInfo?.status;
  if (!status) return undefined;
  const name: string | undefined = proto.temporal.api.enums.v1.WorkflowExecutionStatus[status];
  return workflowStatus.safeParse(enumName(name ?? '', 'WORKFLOW_EXECUTION_STATUS_')).data;
}
