export { type Cause, causeOf, type Message, shortText } from './facts/cause.ts';
export { causeOfEnd, decisiveEvent } from './end-cause.ts';
export { type CauseGroup, groupCauses } from './group-causes.ts';
export { type Explanation, explain } from './explain.ts';
export type { Finding, Severity } from './facts/finding.ts';
export type { OtherRun, Place } from './facts/place.ts';
export { type RuleId, rules } from './rules.ts';
export { allLocked, type Reading, type ReadPayload, type WhyQueue, type WhyRun } from './facts/run.ts';
export {
  criticalPath,
  type CriticalPath,
  type PathKind,
  type PathPart,
  type PathStep,
} from './facts/critical-path.ts';
export { type Durations, durationsOf, isSlow, type Usual } from './facts/usual.ts';
export { ABSENT, type Difference, type FieldMap, type WhatDiffers, whatDiffers } from './differs.ts';
export { matchTimes, type RunTimes, withoutTime } from './match-times.ts';
export { flatFields } from './flat-fields.ts';
export {
  type Fingerprint,
  fingerprint,
  FINGERPRINT_VERSION,
  type FingerprintParts,
  whyOneGroup,
} from './fingerprint.ts';
export { messageShape } from './message-shape.ts';
export { cardLines, placeText, verbOfNext, wordOfSince } from './card-text.ts';
