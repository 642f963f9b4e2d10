import { failureAttributes } from '../../model/describe-group.ts';
import type { RecordedEvent } from '../../model/history.ts';
import type { PendingWork } from '../../model/pending.ts';
import { FailureView } from '../payload/failure-view.tsx';
import { failuresOf } from './payloads-pane.tsx';
import { PendingFailure } from './pending-failure.tsx';

interface FailurePaneProps {
  readonly events: readonly RecordedEvent[];
  readonly pending: PendingWork | undefined;
}

/** Every failure that Temporal kept: the final one, and the last attempt's before it. */
export function FailurePane({ events, pending }: FailurePaneProps) {
  return (
    <>
      {events.toReversed().flatMap((event) =>
        failuresOf(event).map((failure, index) => (
          <FailureView
            // oxlint-disable-next-line react/no-array-index-key -- an event's failures don't move
            key={`${event.eventId} ${index}`}
            failure={failure}
            stubs={event.payloads}
            title={failure === failureAttributes(event) ? 'Failure' : 'Earlier failure'}
            note={`event ${event.eventId}`}
          />
        )),
      )}
      <PendingFailure pending={pending} />
    </>
  );
}
