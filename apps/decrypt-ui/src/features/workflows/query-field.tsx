import { CircleAlert, ListFilter, X } from 'lucide-react';
import { type Ref, useState } from 'react';
import { Button } from '../../components/button.tsx';
import { Kbd } from '../../components/kbd.tsx';
import styles from './query-field.module.css';

interface QueryFieldProps {
  readonly ref: Ref<HTMLInputElement>;
  readonly value: string;
  /** What Temporal says against the query. */
  readonly error: string | undefined;
  readonly onApply: (value: string) => void;
}

/** The query is sent with Enter: a half-typed one is never an error. */
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
        {pending ? <Kbd>Enter</Kbd> : null}
        {text === '' ? (
          <Kbd>/</Kbd>
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
