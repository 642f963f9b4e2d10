import type { PendingWork } from '../../model/pending.ts';
import { FailureView } from '../payload/failure-view.tsx';
import { useRun } from './run-context.tsx';

/** Why the last attempt of work under way failed, where it did. */
export function PendingFailure({ pending }: { readonly pending: PendingWork | undefined }) {
  const { description } = useRun();
  if (pending?.lastFailure === undefined) return null;
  return (
    <FailureView
      failure={pending.lastFailure}
      stubs={description.payloads}
      title="Last attempt’s failure"
      note={`attempt ${Math.max(pending.attempt - 1, 1)}`}
    />
  );
}
