import { Code, X } from 'lucide-react';
import { type RefObject, useState } from 'react';
import { firstKey } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import { Kbd } from '../../ui/text/kbd.tsx';
import styles from './filter-field.module.css';
import { type ListQuery, parseQuery } from './visibility-query.ts';

interface QueryTextFieldProps {
  readonly field: RefObject<HTMLInputElement | null>;
  readonly text: string;
  /** The id of the message about an invalid query. */
  readonly errorId: string | undefined;
  readonly onApply: (query: ListQuery) => void;
}

/** The query as text. Applies the query only on Enter, so that an incomplete query causes no error. */
export function QueryTextField({ field, text: applied, errorId, onApply }: QueryTextFieldProps) {
  const [text, setText] = useState(applied);
  const pending = text.trim() !== applied;
  return (
    <form
      className={styles['field']}
      data-invalid={errorId === undefined ? undefined : ''}
      onSubmit={(event) => {
        event.preventDefault();
        onApply(parseQuery(text));
      }}
    >
      <Code size={14} aria-hidden="true" />
      <input
        ref={field}
        className={styles['input']}
        data-query=""
        aria-label="Visibility query"
        aria-invalid={errorId !== undefined}
        aria-describedby={errorId}
        placeholder='WorkflowType = "order" AND ExecutionDuration > "1m"'
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (pending) setText(applied);
          else event.currentTarget.blur();
        }}
      />
      {pending ? <Kbd>{firstKey('row.open')}</Kbd> : null}
      <FieldEnd empty={text === ''} onClear={() => onApply(parseQuery(''))} />
    </form>
  );
}

/** Shows the field's keyboard shortcut while the field is empty, and otherwise a button that clears the filter. */
export function FieldEnd({ empty, onClear }: { empty: boolean; onClear: () => void }) {
  if (empty) return <Kbd>{firstKey('find')}</Kbd>;
  return (
    <Button
      look="ghost"
      size="small"
      icon
      aria-label="Clear filter"
      data-tip="Clear filter"
      onClick={onClear}
    >
      <X size={12} />
    </Button>
  );
}
