import type { PayloadStub } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { ChevronRight } from 'lucide-react';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { MaskedField } from '../../payloads/mask.tsx';
import { PayloadCell } from '../../payloads/payload-cell.tsx';
import { rowBadges } from '../../payloads/payload-keys.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { groupSummary, inputRef, resultRef } from '../events/describe-group.ts';
import type { Group, RecordedEvent } from '../events/history.ts';
import { isEnd, resultName, resultNames } from '../events/run-ends.ts';
import { SummaryCell } from '../history/summary-cell.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './run-values.module.css';

/** The width, in CSS pixels, of a placeholder for a value whose size is not known yet. */
const UNKNOWN_WIDTH = 56;

/** Returns the run's first event and the group of its closing event, if loaded. */
export function useEnds(): { first: RecordedEvent | undefined; last: Group | undefined } {
  const { follow } = useRun();
  const { events, groups } = follow.history;
  const first = events[0]?.eventName === 'WorkflowExecutionStarted' ? events[0] : undefined;
  return { first, last: groups.findLast(isEnd) };
}

/** A value that the header shows on one line. A failure counts as a result. */
export type RunValue = 'input' | 'result';

interface RunValuesProps {
  readonly expanded: boolean;
  readonly onToggle: (clicked: RunValue) => void;
}

/** A run's input and result on one line. A click shows the whole input and result below the header. */
export function RunValues({ expanded, onToggle }: RunValuesProps) {
  const { stub, open, usage, description } = useRun();
  const findings = useFindings();
  const { first, last } = useEnds();
  const input = first && inputRef(first);
  const inputStub = input ? stub(input) : undefined;
  const end = last?.events[0];
  const endName = end && resultName(end);
  const result = end && resultRef(end);
  const resultStub = result ? stub(result) : undefined;
  // Shows badges only for readable payloads: an unreadable payload shows the reason in place of its value.
  const keysOf = (own: PayloadStub | undefined) =>
    own ? rowBadges([own], findings, usage).filter(({ tone }) => tone === 'crypto') : [];
  const button = (value: RunValue) => ({
    'aria-expanded': expanded,
    onClick: () => onToggle(value),
    className: styles['value'],
  });
  return (
    <div className={styles['values']}>
      {first ? (
        <button type="button" {...button('input')}>
          <Twisty expanded={expanded} />
          <span className={styles['name']}>input</span>
          {input ? <PayloadCell payload={input} stub={inputStub} /> : <span className="t3">empty</span>}
          <KeyBadges badges={keysOf(inputStub)} />
        </button>
      ) : (
        <Waiting name="input" />
      )}
      {endName && last ? (
        <button type="button" {...button('result')}>
          <Twisty expanded={expanded} />
          <span className={styles['name']}>{endName}</span>
          {result ? (
            <PayloadCell payload={result} stub={resultStub} />
          ) : (
            <SummaryCell summary={groupSummary(last)} />
          )}
          <KeyBadges badges={keysOf(resultStub)} />
        </button>
      ) : open || end || resultNames[description.workflow.status] === undefined ? null : (
        <Waiting name="result" />
      )}
    </div>
  );
}

/** A placeholder for a value until its event has loaded. */
const Waiting = ({ name }: { readonly name: RunValue }) => (
  <span className={styles['waiting']}>
    <span className={styles['name']}>{name}</span>
    <MaskedField width={UNKNOWN_WIDTH} label="Not loaded yet" />
  </span>
);

const Twisty = ({ expanded }: { expanded: boolean }) => (
  <ChevronRight
    size={12}
    aria-hidden="true"
    className={clsx(styles['twisty'], expanded && styles['expanded'])}
  />
);
