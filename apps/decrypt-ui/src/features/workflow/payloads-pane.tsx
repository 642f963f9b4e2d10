import type { PayloadStub } from '@temporal-kms/codec-api';
import { failureAttributes } from '../../model/describe-group.ts';
import { failureChain } from '../../model/failure.ts';
import { plural } from '../../model/format/number.ts';
import type { RecordedEvent } from '../../model/history.ts';
import { payloadLabel } from '../../model/payload-label.ts';
import type { PendingWork } from '../../model/pending.ts';
import { numberAt } from '../../model/values.ts';
import { FailureView } from '../payload/failure-view.tsx';
import { PayloadBlock } from '../payload/payload-block.tsx';
import styles from './panes.module.css';
import { PendingFailure } from './pending-failure.tsx';

interface PaneProps {
  readonly events: readonly RecordedEvent[];
  readonly pending?: PendingWork | undefined;
}

/** Payloads that stand for themselves; those inside a failure are told with it. */
export function shownPayloads(events: readonly RecordedEvent[]): PayloadStub[] {
  return events.flatMap((event) => {
    const inFailure = new Set(
      failuresOf(event).flatMap((failure) =>
        failureChain(failure).flatMap((level) => [level.encoded, ...level.payloads]),
      ),
    );
    return event.payloads.filter((stub) => !inFailure.has(stub.ref));
  });
}

export const failuresOf = (event: RecordedEvent): unknown[] =>
  [failureAttributes(event), event.attributes['lastFailure'], event.attributes['continuedFailure']].filter(
    (failure) => failure !== undefined && failure !== null,
  );

export function PayloadsPane({ events, pending }: PaneProps) {
  const payloads = shownPayloads(events);
  const failed = events.findLast((event) => failuresOf(event).length > 0);
  if (payloads.length === 0 && !failed && !pending?.lastFailure) {
    return <p className={styles['none']}>Nothing of this is sealed: it has no payload.</p>;
  }
  return (
    <>
      {payloads.map((stub) => (
        <PayloadBlock key={stub.ref} stub={stub} title={titleOf(stub, payloads)} />
      ))}
      {failed ? (
        <FailureView
          failure={failuresOf(failed)[0]}
          stubs={failed.payloads}
          note={attemptsNote(events)}
          title={failureAttributes(failed) === undefined ? 'Last attempt’s failure' : 'Failure'}
        />
      ) : null}
      <PendingFailure pending={pending} />
    </>
  );
}

/** The number of an input is told only where there are several. */
function titleOf(stub: PayloadStub, all: readonly PayloadStub[]): string {
  const label = payloadLabel(stub.path);
  const single =
    label.endsWith(' 0') && !all.some((other) => payloadLabel(other.path) === label.replace(/0$/, '1'));
  return single ? label.slice(0, -2) : label;
}

function attemptsNote(events: readonly RecordedEvent[]): string | undefined {
  const attempt = Math.max(...events.map((event) => numberAt(event.attributes, 'attempt') ?? 1));
  return attempt > 1 ? `after ${plural(attempt, 'attempt')}` : undefined;
}
