import type { WorkflowCount, WorkflowStatus } from '@temporal-kms/codec-api';
import { CircleAlert, ListFilter, X } from 'lucide-react';
import { type Ref, useState } from 'react';
import { Button } from '../../components/button.tsx';
import { Kbd } from '../../components/kbd.tsx';
import { OutcomeGlyph } from '../../components/outcome.tsx';
import { formatCount } from '../../model/format/number.ts';
import { outcomeOf, outcomeText } from '../../model/outcome.ts';
import { firstKey } from '../../commands/commands.ts';
import styles from './filters.module.css';

interface QueryFieldProps {
  readonly ref: Ref<HTMLInputElement>;
  readonly value: string;
  /** Temporal's message about an invalid query. */
  readonly error: string | undefined;
  readonly onApply: (value: string) => void;
}

/** The field for a visibility query. Only Enter applies the query, so an incomplete query is never an error. */
export function QueryField({ ref, value, error, onApply }: QueryFieldProps) {
  const [text, setText] = useState(value);
  const [applied, setApplied] = useState(value);
  if (applied !== value) {
    setApplied(value);
    setText(value);
  }
  const pending = text.trim() !== value;

  return (
    <form
      className={styles['form']}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onApply(text.trim());
      }}
    >
      <div className={styles['field']} data-invalid={error ? '' : undefined}>
        <ListFilter size={14} aria-hidden="true" />
        <input
          ref={ref}
          className={styles['input']}
          aria-label="Filter workflows"
          aria-invalid={error !== undefined}
          aria-describedby={error ? 'query-error' : undefined}
          placeholder='Workflow id or type, or a visibility query such as WorkflowType = "order" AND ExecutionDuration > "1m"'
          spellCheck={false}
          autoComplete="off"
          value={text}
          data-query={/[=<>]/.test(text) ? '' : undefined}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            if (pending) setText(value);
            else event.currentTarget.blur();
          }}
        />
        {pending ? <Kbd>{firstKey('row.open')}</Kbd> : null}
        {text === '' ? (
          <Kbd>{firstKey('find')}</Kbd>
        ) : (
          <Button
            look="ghost"
            size="small"
            icon
            aria-label="Clear filter"
            onClick={() => {
              setText('');
              onApply('');
            }}
          >
            <X size={12} />
          </Button>
        )}
      </div>
      {error ? (
        <p id="query-error" className={styles['error']} role="alert">
          <CircleAlert size={12} aria-hidden="true" />
          {error}
        </p>
      ) : null}
    </form>
  );
}

/** Always shown, so that the row of buttons stays the same. */
const usual: readonly WorkflowStatus[] = ['Running', 'Completed', 'Failed', 'TimedOut', 'Canceled'];
/** Shown if a run has the status, or if it is chosen. */
const others: readonly WorkflowStatus[] = ['Terminated', 'ContinuedAsNew', 'Paused'];

interface StatusCountsProps {
  readonly count: WorkflowCount | undefined;
  readonly chosen: readonly WorkflowStatus[];
  readonly onToggle: (status: WorkflowStatus) => void;
}

/** How many runs have each status. A click on a status filters the list. */
export function StatusCounts({ count, chosen, onToggle }: StatusCountsProps) {
  const shown = [
    ...usual,
    ...others.filter((status) => (count?.byStatus[status] ?? 0) > 0 || chosen.includes(status)),
  ];
  return (
    <div className={styles['counts']} role="group" aria-label="Filter by status">
      {shown.map((status) => {
        const outcome = outcomeOf(status);
        return (
          <button
            key={status}
            type="button"
            className={styles['count']}
            aria-pressed={chosen.includes(status)}
            onClick={() => onToggle(status)}
          >
            <OutcomeGlyph outcome={outcome} />
            <span className="t2">{outcomeText[outcome]}</span>
            <span className={styles['number']}>{count ? formatCount(count.byStatus[status] ?? 0) : '–'}</span>
          </button>
        );
      })}
    </div>
  );
}
