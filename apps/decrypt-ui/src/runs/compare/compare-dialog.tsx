import { useQuery } from '@tanstack/react-query';
import { partsOfRef } from '@temporal-kms/codec-api';
import { ChevronDown } from 'lucide-react';
import { type ReactNode, useId, useMemo, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events';
import { DiffView } from '../../payloads/diff/diff-view.tsx';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import type { ComparisonProps } from '../../payloads/view/comparison.tsx';
import { shortRunId } from '../../ui/format/run-id.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { useRunsApi } from '../api.ts';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { runsQuery } from '../queries.ts';
import { RunProvider, useRun } from '../run/run-context.tsx';
import styles from './compare-dialog.module.css';
import { ComparedPayload } from './compared-payload.tsx';
import { payloadChoices, type PayloadPosition, positionOf } from './payload-choices.ts';

/** Compares a payload with another payload in its run, or in another run with the same workflow id. */
export function CompareDialog({ stub, title, onClose }: ComparisonProps) {
  const { address, follow } = useRun();
  const [runId, setRunId] = useState(address.runId);
  const position = useMemo(() => positionOf(follow.history, stub.ref), [follow.history, stub.ref]);
  const [left, setLeft] = useState<PayloadValue>();
  const [right, setRight] = useState<PayloadValue>();
  const other = useMemo(() => ({ ...address, runId }), [address, runId]);
  const { eventId } = partsOfRef(stub.ref);
  const second = <Second position={position} isSameRun={runId === address.runId} onValue={setRight} />;
  return (
    <Dialog title="Compare payloads" large open onOpenChange={(open) => !open && onClose()}>
      <div className={styles['sides']}>
        <section className={styles['side']} aria-label="First payload">
          <div className={styles['choice']}>
            <span className={styles['name']}>
              {title}
              {eventId === 0 ? '' : ` of event ${eventId}`}
            </span>
          </div>
          <ComparedPayload stub={stub} title={title} onValue={setLeft} />
        </section>
        <section className={styles['side']} aria-label="Second payload">
          <RunChoice runId={runId} onChoose={setRunId} />
          {runId === address.runId ? (
            second
          ) : (
            <RunProvider
              key={runId}
              address={other}
              loading={<p className="t2">Loading the run…</p>}
              renderFailed={(error) => <p role="alert">{error.message}</p>}
            >
              {second}
            </RunProvider>
          )}
        </section>
      </div>
      {left && right ? (
        <DiffView left={left} right={right} label="Differences of the payloads" fill />
      ) : (
        <p className="t2">The differences appear when both payloads are decrypted.</p>
      )}
    </Dialog>
  );
}

interface RunChoiceProps {
  readonly runId: string;
  readonly onChoose: (runId: string) => void;
}

/**
 * Lets the user choose the run that contains the second payload. Not offered for a history file, because the
 * choice lists only runs on the server.
 */
function RunChoice({ runId, onChoose }: RunChoiceProps) {
  const api = useRunsApi();
  const { address } = useRun();
  const format = useTimeFormat();
  const { data } = useQuery({
    ...runsQuery(api, address.namespace, address.workflowId),
    enabled: !address.file,
  });
  const others = (data?.workflows ?? []).filter((run) => run.runId !== address.runId);
  if (others.length === 0) return null;
  return (
    <Select label="Run" value={runId} onChange={onChoose}>
      <option value={address.runId}>This run</option>
      {others.map((run) => (
        <option key={run.runId} value={run.runId}>
          {shortRunId(run.runId)}, {outcomeText[outcomeOf(run.status)]},{' '}
          {formatMoment(millisOf(run.startTime) ?? 0, format)}
        </option>
      ))}
    </Select>
  );
}

const likenesses = [
  ['event', 'Same event group'],
  ['place', 'Same place in other events'],
  ['other', 'Other payloads'],
] as const;

interface SecondProps {
  readonly position: PayloadPosition | undefined;
  readonly isSameRun: boolean;
  readonly onValue: (value: PayloadValue | undefined) => void;
}

/** Lets the user choose the second payload, from the run of the nearest `RunProvider`. */
function Second({ position, isSameRun, onValue }: SecondProps) {
  const { follow } = useRun();
  const { history, phase } = follow;
  const [chosen, setChosen] = useState<string>();
  const choices = useMemo(() => payloadChoices(history, position, isSameRun), [history, position, isSameRun]);
  const choice = choices.find(({ ref }) => ref === chosen) ?? choices[0];
  if (!choice)
    return (
      <p className="t2">
        {phase === 'loading' ? 'Loading the history…' : 'The run has no payload to compare with.'}
      </p>
    );
  return (
    <>
      <Select label="Payload" value={choice.ref} onChange={(ref) => setChosen(ref)}>
        {likenesses.map(([likeness, text]) => {
          const own = choices.filter((each) => each.likeness === likeness);
          return own.length === 0 ? null : (
            <optgroup key={likeness} label={text}>
              {own.map(({ ref, text: name }) => (
                <option key={ref} value={ref}>
                  {name}
                </option>
              ))}
            </optgroup>
          );
        })}
      </Select>
      <ComparedPayload key={choice.ref} stub={choice.stub} title="Payload" onValue={onValue} />
    </>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly children: ReactNode;
}

function Select({ label, value, onChange, children }: SelectProps) {
  const id = useId();
  return (
    <div className={styles['choice']}>
      <label htmlFor={id} className="t3">
        {label}
      </label>
      <span className={styles['select']}>
        <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
          {children}
        </select>
        <ChevronDown size={14} aria-hidden="true" />
      </span>
    </div>
  );
}
