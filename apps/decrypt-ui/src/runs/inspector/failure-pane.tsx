import type { PendingWork } from '@temporal-kms/histories/events';
import { FailurePanel } from '../../payloads/failure/failure-panel.tsx';
import { failureAttributes } from '../events/describe-group.ts';
import { earlierFailures, type SeenFailure } from '../run/failures-seen.ts';
import { useRun } from '../run/run-context.tsx';
import { failuresOf, type PaneProps } from './payloads-pane.tsx';
import { SeenFailures } from './seen-failures.tsx';

interface FailurePaneProps extends PaneProps {
  /** The failures of attempts, as reported while the page was open. */
  readonly seen: readonly SeenFailure[];
}

/**
 * Every failure that Temporal keeps, and the failures of earlier attempts that were reported while the page
 * was open.
 */
export function FailurePane({ events, pending, seen }: FailurePaneProps) {
  return (
    <>
      {events.toReversed().flatMap((event) =>
        failuresOf(event).map((failure, index) => (
          <FailurePanel
            // oxlint-disable-next-line react/no-array-index-key -- the order of an event's failures never changes
            key={`${event.eventId} ${index}`}
            failure={failure}
            stubs={event.payloads}
            title={failure === failureAttributes(event) ? 'Failure' : 'Earlier failure'}
            note={`event ${event.eventId}`}
          />
        )),
      )}
      <PendingFailure pending={pending} />
      <SeenFailures failures={earlierFailures(seen, pending)} />
    </>
  );
}

/** The failure of pending work's last attempt. */
function PendingFailure({ pending }: { readonly pending: PendingWork | undefined }) {
  const { description } = useRun();
  if (pending?.lastFailure === undefined) return null;
  return (
    <FailurePanel
      failure={pending.lastFailure}
      stubs={description.payloads}
      title="Failure of the last attempt"
      note={`attempt ${Math.max(pending.attempt - 1, 1)}`}
    />
  );
}
