export { type Category, type EventKind, eventKind, eventKinds } from './event-kinds.ts';
export { detailRefs, eventTitle, groupName, type Label, type NamingEvent, summaryRef } from './group-name.ts';
export { categoryOf, isStart, isUpdateDecision, outcomeOfEvent, updateId } from './grouping.ts';
export { type EventGroup, groupByHead, groupEvents, type RunEvent } from './groups.ts';
export { isFailure, type Outcome } from './outcome.ts';
export { type PendingWork, pendingWork } from './pending.ts';
export {
  at,
  durationAt,
  enumAt,
  linesAt,
  listAt,
  millisAt,
  millisOf,
  numberAt,
  refAt,
  refsIn,
  textAt,
} from './proto-json.ts';
export { closedAs } from './run-ends.ts';
