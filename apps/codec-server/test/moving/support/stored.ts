import { encodingOf, payloadsIn } from '@temporal-kms/testing/history';
import type { temporal } from '@temporalio/proto';

type Event = temporal.api.history.v1.IHistoryEvent;

/**
 * Returns the encodings of a stored history's payloads that went through a codec.
 * @param after milliseconds since 1970; earlier events are ignored
 */
export function encodingsIn(events: readonly Event[], after = 0): Set<string> {
  const some = events.filter(
    ({ eventTime }) => Number(eventTime?.seconds) * 1_000 + (eventTime?.nanos ?? 0) / 1e6 >= after,
  );
  // Search attributes, which have a `type`, are in plaintext.
  const payloads = payloadsIn(some.map(withoutCopies)).filter(({ metadata }) => !metadata?.['type']);
  return new Set(payloads.map(encodingOf));
}

/**
 * Removes payloads that no codec encoded for this event: payloads that Core writes into markers after the
 * codec has run, and the failure of an activity's previous attempt, which the event of its last start
 * repeats.
 */
function withoutCopies(event: Event): Event {
  const { markerRecordedEventAttributes: marker, activityTaskStartedEventAttributes: attempt } = event;
  const { data: _times, 'patch-data': _patch, ...details } = marker?.details ?? {};
  return {
    ...event,
    ...(marker && { markerRecordedEventAttributes: { ...marker, details } }),
    ...(attempt && { activityTaskStartedEventAttributes: { ...attempt, lastFailure: null } }),
  };
}
