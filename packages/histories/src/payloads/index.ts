export {
  eventIdOf,
  eventJson,
  eventName,
  eventPayloads,
  isDurable,
  type ProtoEvent,
  type StoredPayload,
  storedPayload,
} from './event.ts';
export { eventWriter, exportEnd, exportStart, type JsonText, type WritePayload } from './export-document.ts';
export {
  enumName,
  findPayloads,
  lookupType,
  MAX_PATH_KEY,
  type PayloadContext,
  type PayloadLocation,
  searchAttributeValues,
  timestamp,
  type VisitPayload,
  workflowContext,
  writeMessage,
} from './message.ts';
export { keyOf, otherNamespace, type Payload, type PayloadJson, payloadToJson } from './payload.ts';
export { unreadablePayload, unreadableReason, unreadableValue } from './unreadable.ts';
