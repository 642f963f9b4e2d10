import {
  escapeInvisible,
  type NamespaceKeys,
  partsOfRef,
  type PayloadRef,
  type ReasonCode,
} from '@temporal-kms/codec-api';
import { useState } from 'react';
import { ReasonIcon } from '../payloads/reason-icon.tsx';
import { explain } from '../payloads/explain-reason.ts';
import { reasonText } from '../payloads/reasons.ts';
import { RunAnchor } from '../runs/run-link.tsx';
import { Button } from '../ui/controls/button.tsx';
import { formatCount } from '../ui/format/number.ts';
import { Table } from '../ui/page/table.tsx';
import { Moment } from '../ui/text/moment.tsx';
import { keyPlace } from './key-health.ts';
import styles from './keys.module.css';

/** Number of failures shown until the user requests all. */
const MOST = 8;

/** The most recent payloads that could not be decrypted or encrypted, with links to their runs and events, if known. */
export function KeyFailures({ keys }: { keys: NamespaceKeys }) {
  const { failures, namespace } = keys;
  const [all, setAll] = useState(false);
  const shown = all ? failures : failures.slice(0, MOST);
  return (
    <section className={styles['section']} aria-labelledby="failures-title">
      <header className={styles['sectionHead']}>
        <h2 id="failures-title">Recent failures</h2>
        <span className="small t3">
          {failures.length === 0 ? 'none' : formatCount(failures.length)} since this process started
        </span>
      </header>
      {failures.length === 0 ? (
        <p className={styles['none']}>No payload has failed in this process.</p>
      ) : (
        <Table
          className={styles['table']}
          headingId="failures-title"
          columns={['Time', 'Reason', 'Key', ['Payload', styles['rest']]]}
        >
          {shown.map((failure, index) => (
            <FailureRow
              key={`${failures.length - index} ${failure.time}`}
              failure={failure}
              namespace={namespace}
            />
          ))}
        </Table>
      )}
      {shown.length < failures.length ? (
        <p className={styles['more']}>
          <Button size="small" onClick={() => setAll(true)}>
            Show all {formatCount(failures.length)}
          </Button>
        </p>
      ) : null}
    </section>
  );
}

interface FailureRowProps {
  readonly failure: NamespaceKeys['failures'][number];
  readonly namespace: string;
}

function FailureRow({ failure, namespace }: FailureRowProps) {
  const { time, reason, key, workflowId, runId, ref } = failure;
  return (
    <tr>
      <td>
        <Moment at={Date.parse(time)} />
      </td>
      <td>
        <Reason code={reason} tip={explain(reason, { namespace, workflowId: workflowId ?? '', key })} />
      </td>
      <td data-tip={key?.name === undefined ? undefined : escapeInvisible(key.name)}>
        {key?.name === undefined ? <span className="t3">–</span> : escapeInvisible(keyPlace(key.name).short)}{' '}
        {key?.version === undefined ? null : <span className="tag">v{key.version}</span>}
      </td>
      <td>
        {workflowId === undefined ? (
          <span className="t3">sent by the caller, without a run</span>
        ) : (
          <>
            <RunAnchor run={{ namespace, workflowId, ...(runId && { runId }), ...eventOf(ref) }}>
              <span className="mono">{escapeInvisible(workflowId)}</span>
            </RunAnchor>{' '}
            {eventOf(ref).eventId === undefined ? null : <span className="t3">#{eventOf(ref).eventId}</span>}
          </>
        )}
      </td>
    </tr>
  );
}

/** Returns the event of a payload ref. Event 0 stands for the run's description. */
function eventOf(ref: PayloadRef | undefined): { eventId?: number } {
  const { eventId } = ref === undefined ? { eventId: 0 } : partsOfRef(ref);
  return eventId > 0 ? { eventId } : {};
}

/** A reason code with its colour and icon, and a tooltip that explains it. */
export function Reason({ code, tip }: { code: ReasonCode; tip: string }) {
  const { tone, icon } = reasonText(code);
  return (
    <span className={styles['reason']} data-outcome={tone} data-tip={tip}>
      <ReasonIcon name={icon} />
      {code}
    </span>
  );
}
