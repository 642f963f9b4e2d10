import { Unplug } from 'lucide-react';
import { useCallback, useEffect, useState } from 'react';
import { usePlaintext } from '../../payloads/reveal/reveals-context.tsx';
import { useMe } from '../../session/me.tsx';
import { failureCode } from '../../session/server/failure.ts';
import { Button } from '../../ui/controls/button.tsx';
import { errorOf } from '../../ui/errors.ts';
import { Notice } from '../../ui/page/notice.tsx';
import { useRunsApi } from '../api.ts';
import type { RecordedEvent } from '../events/history.ts';
import { useRun } from '../run/run-context.tsx';
import { EventText } from './event-text.tsx';
import styles from './panes.module.css';

/**
 * An event as Temporal stores it, with ciphertext in base64. The server exports the event, and records the
 * export in the audit.
 */
export function StoredEventText({ event }: { event: RecordedEvent }) {
  const { address } = useRun();
  const { can } = useMe();
  const plaintext = usePlaintext();
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((last) => last + 1), []);
  // When the page must drop all plaintext, this component requests the event again. The request waits for the
  // sign-in.
  useEffect(() => plaintext.onClear(again), [plaintext, again]);
  if (!event.durable) return <p className={styles['none']}>Temporal has not stored this event yet.</p>;
  if (!can(address.namespace, 'export')) return <NotPermitted />;
  return <Stored key={turn} event={event} onRetry={again} />;
}

function NotPermitted() {
  return (
    <p className={styles['none']}>
      To show an event as stored, the server exports it, which you may not do in this namespace. Ask the
      operator of the codec server for the permission <code>export</code>.
    </p>
  );
}

interface Answer {
  readonly value?: Readonly<Record<string, unknown>>;
  readonly failure?: Error;
}

/**
 * Requests the event. Only this component holds the event, which may contain plaintext that no cache may
 * keep.
 */
function Stored({ event, onRetry }: { event: RecordedEvent; onRetry: () => void }) {
  const api = useRunsApi();
  const { address } = useRun();
  const [{ value, failure }, setAnswer] = useState<Answer>({});
  const { eventId } = event;
  useEffect(() => {
    const abort = new AbortController();
    api.storedEvent(address, eventId, abort.signal).then(
      (stored) => setAnswer({ value: stored }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setAnswer({ failure: errorOf(error) });
      },
    );
    return () => abort.abort();
  }, [api, address, eventId]);

  if (value) return <EventText event={event} value={value} note="as Temporal stores it" />;
  if (!failure) return <p className={styles['none']}>Requesting event {eventId}…</p>;
  if (failureCode(failure) === 'forbidden') return <NotPermitted />;
  return (
    <Notice
      severity="error"
      icon={<Unplug size={14} />}
      title={`Event ${eventId} could not be exported`}
      action={
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      }
    >
      {failure.message}
    </Notice>
  );
}
