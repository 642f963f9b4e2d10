import { clsx } from 'clsx';
import { ChevronRight, CornerDownLeft } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../../components/button.tsx';
import { failureAttributes, groupSummary, inputRef, resultRef } from '../../model/describe-group.ts';
import type { Group, RecordedEvent } from '../../model/history.ts';
import { keyBadges } from '../../model/keys.ts';
import { payloadTitle } from '../../model/payload-label.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { useRun } from '../../run/run-context.tsx';
import { SummaryCell } from '../history/summary-cell.tsx';
import { FailureView } from '../payload/failure-view.tsx';
import { KeyBadges } from '../payload/key-badges.tsx';
import { Mask } from '../payload/mask.tsx';
import { PayloadBlock } from '../payload/payload-block.tsx';
import { PayloadCell } from '../payload/payload-cell.tsx';
import styles from './run-values.module.css';

const closing: ReadonlySet<string> = new Set([
  'WorkflowExecutionCompleted',
  'WorkflowExecutionFailed',
  'WorkflowExecutionTimedOut',
  'WorkflowExecutionCanceled',
  'WorkflowExecutionTerminated',
  'WorkflowExecutionContinuedAsNew',
]);

/** The first event of the run and the group of the event that closed it, as far as they are loaded. */
function useEnds(): { first: RecordedEvent | undefined; last: Group | undefined } {
  const { follow } = useRun();
  const { events, groups } = follow.history;
  const first = events[0]?.eventName === 'WorkflowExecutionStarted' ? events[0] : undefined;
  return { first, last: groups.findLast((group) => closing.has(group.events[0].eventName)) };
}

function resultName(event: RecordedEvent): string {
  if (event.eventName === 'WorkflowExecutionFailed') return 'failure';
  return event.eventName === 'WorkflowExecutionContinuedAsNew' ? 'next input' : 'result';
}

/** A common size of an input. */
const INPUT_BYTES = 400;

interface RunValuesProps {
  readonly expanded: boolean;
  readonly onToggle: () => void;
}

/** The input and the result of a run on one line; a click shows them in full below. */
export function RunValues({ expanded, onToggle }: RunValuesProps) {
  const { stub, open } = useRun();
  const findings = useFindings();
  const { first, last } = useEnds();
  const input = first && inputRef(first);
  const inputStub = input ? stub(input) : undefined;
  const end = last?.events[0];
  const result = end && resultRef(end);
  const resultStub = result ? stub(result) : undefined;
  const common = { 'aria-expanded': expanded, onClick: onToggle, className: styles['value'] };
  return (
    <div className={styles['values']}>
      {first ? (
        <button type="button" {...common}>
          <Twisty expanded={expanded} />
          <span className={styles['name']}>input</span>
          {input ? <PayloadCell payload={input} stub={inputStub} /> : <span className="t3">empty</span>}
          {inputStub ? <KeyBadges badges={keyBadges([inputStub], findings)} /> : null}
        </button>
      ) : (
        // Takes the place of the input until the first event has been loaded.
        <span className={styles['waiting']}>
          <span className={styles['name']}>input</span>
          <Mask bytes={INPUT_BYTES} />
        </span>
      )}
      {end && last ? (
        <button type="button" {...common}>
          <Twisty expanded={expanded} />
          <span className={styles['name']}>{resultName(end)}</span>
          {result ? (
            <PayloadCell payload={result} stub={resultStub} />
          ) : (
            <SummaryCell summary={groupSummary(last)} />
          )}
          {resultStub ? <KeyBadges badges={keyBadges([resultStub], findings)} /> : null}
        </button>
      ) : (
        <span className={styles['waiting']}>
          <span className={styles['name']}>result</span>
          {open ? 'still running' : '–'}
        </span>
      )}
    </div>
  );
}

const Twisty = ({ expanded }: { expanded: boolean }) => (
  <ChevronRight
    size={12}
    aria-hidden="true"
    className={clsx(styles['twisty'], expanded && styles['expanded'])}
  />
);

/** The input and the result of a run in full, next to each other. */
export function RunValuesPanel({ onSelect }: { onSelect: (eventId: number) => void }) {
  const { first, last } = useEnds();
  const end = last?.events[0];
  return (
    <div className={styles['panel']}>
      {first ? (
        <Column title="Input" event={first} onSelect={onSelect}>
          <Payloads event={first} prefix={/^input\b/} none="The run has no input." />
        </Column>
      ) : null}
      {end ? (
        <Column title={titleOf(end)} event={end} onSelect={onSelect}>
          <Result event={end} />
        </Column>
      ) : null}
    </div>
  );
}

function titleOf(event: RecordedEvent): string {
  const name = resultName(event);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

interface ColumnProps {
  readonly title: string;
  readonly event: RecordedEvent;
  readonly onSelect: (eventId: number) => void;
  readonly children: ReactNode;
}

function Column({ title, event, onSelect, children }: ColumnProps) {
  return (
    <section className={styles['column']} aria-label={title}>
      <h2 className="sr-only">{title}</h2>
      {children}
      <Button look="ghost" size="small" className={styles['event']} onClick={() => onSelect(event.eventId)}>
        <CornerDownLeft size={12} />
        Show event {event.eventId}
      </Button>
    </section>
  );
}

function Result({ event }: { event: RecordedEvent }) {
  const failure = failureAttributes(event);
  if (failure !== undefined) return <FailureView failure={failure} stubs={event.payloads} />;
  return <Payloads event={event} prefix={/^(result|details|input)\b/} none="The run returned no value." />;
}

interface PayloadsProps {
  readonly event: RecordedEvent;
  /** Matches the paths of the payloads. */
  readonly prefix: RegExp;
  readonly none: string;
}

function Payloads({ event, prefix, none }: PayloadsProps) {
  const stubs = event.payloads.filter(({ path }) => prefix.test(path));
  if (stubs.length === 0) return <p className={styles['none']}>{none}</p>;
  return stubs.map((stub) => <PayloadBlock key={stub.ref} stub={stub} title={payloadTitle(stub, stubs)} />);
}
