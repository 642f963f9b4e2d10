import { clsx } from 'clsx';
import { ChevronRight } from 'lucide-react';
import { groupSummary, inputRef, resultRef } from '../../model/describe-group.ts';
import { keyBadges } from '../../model/keys.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { useRun } from '../../run/run-context.tsx';
import { SummaryCell } from '../history/summary-cell.tsx';
import { KeyBadges } from '../payload/key-badges.tsx';
import { Mask } from '../payload/mask.tsx';
import { PayloadCell } from '../payload/payload-cell.tsx';
import { resultName } from '../../model/run-ends.ts';
import { useEnds } from './run-ends.ts';
import styles from './run-values.module.css';

/** A common size of an input. */
const INPUT_BYTES = 400;

/** A value that the header shows on one line. A failure is a result. */
export type RunValue = 'input' | 'result';

interface RunValuesProps {
  readonly expanded: boolean;
  readonly onToggle: (clicked: RunValue) => void;
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
        <button type="button" {...button('result')}>
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
