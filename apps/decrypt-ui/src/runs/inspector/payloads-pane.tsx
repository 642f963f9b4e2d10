import type { PayloadStub } from '@temporal-kms/codec-api';
import { ChevronRight } from 'lucide-react';
import { numberAt, outcomeOfEvent, type PendingWork } from '@temporal-kms/histories/events';
import { failureChain, headline } from '@temporal-kms/histories/failures';
import { useRunAccess } from '../../payloads/reveal/reveal-choices.ts';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { plural } from '../../ui/format/number.ts';
import { failureAttributes } from '../events/describe-group.ts';
import type { RecordedEvent } from '../events/history.ts';
import { SummaryCell } from '../history/summary-cell.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './payloads-pane.module.css';

export interface PaneProps {
  readonly events: readonly RecordedEvent[];
  readonly pending?: PendingWork | undefined;
}

/** Returns the payloads that are not part of a failure; a failure shows its own payloads. */
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

/** Returns the failures in an event's attributes: the event's own, and those of earlier attempts or runs. */
export const failuresOf = (event: RecordedEvent): unknown[] =>
  [failureAttributes(event), event.attributes['lastFailure'], event.attributes['continuedFailure']].filter(
    (failure) => failure !== undefined && failure !== null,
  );

interface PayloadsPaneProps extends PaneProps {
  readonly onFailure: () => void;
}

/** The events' whole payloads, and the last failure on one line. Another tab shows that failure's causes. */
export function PayloadsPane({ events, pending, onFailure }: PayloadsPaneProps) {
  const { address } = useRun();
  const access = useRunAccess(address);
  const payloads = shownPayloads(events);
  const failed = events.findLast((event) => failuresOf(event).length > 0);
  const failure = failed ? failuresOf(failed)[0] : pending?.lastFailure;
  const level = headline(failureChain(failure));
  if (payloads.length === 0 && !level) return <p className={styles['none']}>This event has no payloads.</p>;
  const isFinal = failed !== undefined && failureAttributes(failed) !== undefined;
  return (
    <>
      {level ? (
        <button type="button" className={styles['failure']} onClick={onFailure}>
          <span className={styles['summary']}>
            <SummaryCell
              summary={{
                kind: 'failure',
                level,
                outcome: isFinal ? (outcomeOfEvent(failed) ?? 'failed') : 'pending',
              }}
            />
          </span>
          <span className={styles['note']}>{isFinal ? attemptsNote(events) : 'last attempt'}</span>
          <ChevronRight size={14} aria-hidden="true" />
        </button>
      ) : null}
      {access === 'refused' && payloads.length > 0 ? (
        <p className={styles['refused']}>
          Payloads are encrypted. To read them, ask the operator of the codec server for the permission{' '}
          <code>decode</code>.
        </p>
      ) : null}
      {payloads.map((stub) => (
        <PayloadBlock key={stub.ref} stub={stub} title={payloadTitle(stub, payloads)} />
      ))}
    </>
  );
}

function attemptsNote(events: readonly RecordedEvent[]): string | undefined {
  const attempt = Math.max(...events.map((event) => numberAt(event.attributes, 'attempt') ?? 1));
  return attempt > 1 ? `after ${plural(attempt, 'attempt')}` : undefined;
}
