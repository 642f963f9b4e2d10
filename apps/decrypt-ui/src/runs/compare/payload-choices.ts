import type { PayloadRef, PayloadStub } from '@temporal-kms/codec-api';
import { groupName } from '@temporal-kms/histories/events';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
import { groupTitle } from '../events/describe-group.ts';
import { eventOfPayload, type Group, type History } from '../events/history.ts';

/** A payload's position, used to find the corresponding payload in another event or run. */
export interface PayloadPosition {
  readonly ref: PayloadRef;
  /** The group's category and name: `activity ValidateOrder`. */
  readonly subject: string;
  /** Number of groups with the same subject among the `REACH` groups before this group. */
  readonly ordinal: number;
  /** The group's position in the history. */
  readonly at: number;
  /** The event's type, and the payload's path in the attributes. */
  readonly place: string;
}

/** A payload that the user can choose for the comparison. */
export interface PayloadChoice {
  readonly ref: PayloadRef;
  readonly stub: PayloadStub;
  /** The choice's label: `Input of event 5, Activity ValidateOrder`. */
  readonly text: string;
  /** `event`: in the same event group. `place`: at the same place in another group. */
  readonly likeness: 'event' | 'place' | 'other';
}

/**
 * The user can choose from the payloads of at most this many groups before and after the payload's group: a
 * longer list would not help.
 */
const REACH = 300;

/** The position of a payload that is in the run's description and not in an event. */
const nowhere: Omit<PayloadPosition, 'ref'> = { subject: '', ordinal: 0, at: 0, place: '' };

/** Returns a group's category and name. Groups with the same subject do the same thing. */
export const subjectOf = (group: Group): string => `${group.category} ${groupName(group).text}`;

const placeOf = (eventName: string, stub: PayloadStub) => `${eventName} ${stub.path}`;

/** Returns the position of an event's payload, or undefined if the history does not contain it. */
export function positionOf(history: History, ref: PayloadRef): PayloadPosition | undefined {
  const event = eventOfPayload(history, ref);
  const at = event ? (history.owners[event.eventId - 1] ?? -1) : -1;
  const group = history.groups[at];
  const stub = event?.payloads.find((own) => own.ref === ref);
  if (!event || !group || !stub) return undefined;
  const subject = subjectOf(group);
  const ordinal = history.groups
    .slice(Math.max(at - REACH, 0), at)
    .filter((other) => subjectOf(other) === subject);
  return { ref, subject, ordinal: ordinal.length, at, place: placeOf(event.eventName, stub) };
}

/**
 * Returns the payloads of a history that the user can compare with the given payload, most likely choices
 * first.
 *
 * @param isSameRun whether the history contains the given payload
 */
export function payloadChoices(
  history: History,
  position: PayloadPosition | undefined,
  isSameRun: boolean,
): PayloadChoice[] {
  const { at, subject, place, ordinal } = position ?? nowhere;
  let seen = 0;
  const ranked = history.groups.slice(Math.max(at - REACH, 0), at + REACH).flatMap((group) => {
    const own = subjectOf(group);
    const isCounterpart = own === subject && seen === ordinal;
    if (own === subject) seen += 1;
    // A run's input and result belong together, although they are in different groups.
    const isEnd = group.category === 'workflow' && subject.startsWith('workflow ');
    return group.events.flatMap((event) =>
      event.payloads
        .filter(({ ref }) => !isSameRun || ref !== position?.ref)
        .map((stub) => {
          const isSamePlace = own === subject && placeOf(event.eventName, stub) === place;
          const isSameGroup = isSameRun && (isCounterpart || isEnd) && !stub.path.startsWith('userMetadata');
          const choice: PayloadChoice = {
            ref: stub.ref,
            stub,
            text: `${payloadTitle(stub, event.payloads)} of event ${event.eventId}, ${groupTitle(group)}`,
            likeness: isSameGroup ? 'event' : isSamePlace ? 'place' : 'other',
          };
          const isResult = /^(result|outcome)\b/.test(stub.path);
          const rank = [
            isSamePlace && isCounterpart,
            isSameGroup && isResult,
            isSameGroup,
            isSamePlace,
            true,
          ];
          return { choice, rank: rank.indexOf(true) };
        }),
    );
  });
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ choice }) => choice);
}
