import { encodingOf, payloadsIn } from '@temporal-kms/testing/history';
import type { temporal } from '@temporalio/proto';

type Event = temporal.api.history.v1.IHistoryEvent;

/**
 * Returns the encodings of the payloads of a stored history that went through a codec.
 * @param after milliseconds since 1970: only events from then on
 */
export function encodingsIn(events: readonly Event[], after = 0): Set<string> {
  const some = events.filter(
    ({ eventTime }) => Number(eventTime?.seconds) * 1_000 + (eventTime?.nanos ?? 0) / 1e6 >= after,
  );
  // Temporal gives every search attribute a type, in plaintext.
  const payloads = payloadsIn(some.map(withoutCopies)).filter(({ metadata }) => !metadata?.['type']);
  return new Set(payloads.map(encodingOf));
}

/**
 * Removes what no codec has written with the event: what Core writes into markers after the codec, and the failure of the attempt
 * before, which the start of an activity's last attempt repeats.
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
