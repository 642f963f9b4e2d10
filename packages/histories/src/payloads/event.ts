import proto, { type temporal } from '@temporalio/proto';
import {
  enumName,
  findPayloads,
  type PayloadContext,
  type PayloadLocation,
  type VisitPayload,
  writeMessage,
} from './message.ts';
import { payloadToJson } from './payload.ts';

export type ProtoEvent = temporal.api.history.v1.IHistoryEvent;

/** A payload in a history, with the context in which it was encrypted. */
export interface StoredPayload extends PayloadLocation {
  readonly context: PayloadContext;
}

/** The full name of an event's message type. */
const TYPE = 'temporal.api.history.v1.HistoryEvent';

export const eventIdOf = (event: ProtoEvent): number => Number(event.eventId ?? 0);

/**
 * Returns the event in the proto3 JSON that Temporal's own tools write, where search attributes are payloads.
 * Calls `visit` for each payload in the order of the refs, and replaces the payload with the result.
 */
export function eventJson(event: ProtoEvent, visit: VisitPayload): Record<string, unknown> {
  return writeMessage(TYPE, event, visit, payloadToJson);
}

/**
 * Returns the event's payloads. The ref `<eventId>:<n>` names the n-th payload, counted from 0.
 * @param home the context of the history's own workflow
 */
export function eventPayloads(event: ProtoEvent, home: PayloadContext): StoredPayload[] {
  return findPayloads(TYPE, event).map((location) => storedPayload(location, event, home));
}

/**
 * Returns whether Temporal has stored the event. Temporal sets `taskId` when it stores an event. Events of a
 * workflow task in progress (transient events after a failed task, speculative events for an update) have no
 * `taskId`, and Temporal may later store other events under the same event ids.
 */
export const isDurable = (event: ProtoEvent): boolean => Number(event.taskId ?? 0) !== 0;

const ATTRIBUTES = /EventAttributes$/;

/**
 * Returns the payload with its context, and with its path relative to the event's attributes. Does not change a path
 * outside the attributes (`userMetadata.summary`).
 */
export function storedPayload(
  location: PayloadLocation,
  event: ProtoEvent,
  home: PayloadContext,
): StoredPayload {
  const dot = location.path.indexOf('.');
  if (!ATTRIBUTES.test(location.path.slice(0, dot)))
    return { ...location, context: contextOf(event, location.path, home) };
  const path = location.path.slice(dot + 1);
  const isEnvelope = isSystemEnvelope(location);
  const encryptable = location.encryptable && !isCoreField(path, event) && !isEnvelope;
  const context = contextOf(event, path, home);
  return { payload: location.payload, path, encryptable, ...(isEnvelope && { isEnvelope }), context };
}

/**
 * Returns the context of the workflow that a payload was encrypted for. A child's input, result and failure,
 * and a signal to another workflow, are encrypted for the child or the signal's receiver, even in the
 * parent's or sender's history (SDK 1.24, WorkflowCodecRunner).
 *
 * The namespace is always the request's namespace. Only `accepts` in that namespace's rule decides whether
 * messages from other namespaces may be decrypted, not the history.
 */
function contextOf(event: ProtoEvent, path: string, home: PayloadContext): PayloadContext {
  const target = targetWorkflow(event, path);
  return target ? { ...home, workflowId: target } : home;
}

function targetWorkflow(event: ProtoEvent, path: string): string | null | undefined {
  const signal = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
  if (signal) return path.startsWith('userMetadata') ? undefined : signal.workflowExecution?.workflowId;
  const child =
    event.childWorkflowExecutionCompletedEventAttributes ??
    event.childWorkflowExecutionFailedEventAttributes ??
    event.childWorkflowExecutionCanceledEventAttributes ??
    event.childWorkflowExecutionTimedOutEventAttributes ??
    event.childWorkflowExecutionTerminatedEventAttributes ??
    event.childWorkflowExecutionStartedEventAttributes;
  if (child) return child.workflowExecution?.workflowId;
  return event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId;
}

/**
 * Returns whether the payload is in a marker field that Temporal's Core SDK writes after the codec has run.
 * Such fields are plaintext by design.
 */
function isCoreField(path: string, { markerRecordedEventAttributes: marker }: ProtoEvent): boolean {
  switch (marker?.markerName) {
    case 'core_patch':
      return path.startsWith('details');
    case 'core_local_activity':
      return path.startsWith('details.data.');
    default:
      return false;
  }
}

/**
 * Returns whether the payload is an envelope for Temporal's own Nexus endpoint (`__temporal_system`).
 * Temporal reads the envelope, so codecs process only the payloads inside it. This function does not look
 * inside the envelope (temporalio/api-go#297).
 */
const isSystemEnvelope = ({ path, payload: { metadata } }: PayloadLocation): boolean =>
  path.startsWith('nexusOperation') &&
  Buffer.from(metadata?.['__temporal_system_payload'] ?? '').equals(TRUE);
const TRUE = Buffer.from('true');

/** Returns an event type's name as Temporal's tools write it: `TimerFired`. */
export function eventName(type: number): string {
  const name: string | undefined = proto.temporal.api.enums.v1.EventType[type];
  if (name === undefined) return `Unknown(${type})`;
  return enumName(name, 'EVENT_TYPE_');
}
