import { CircleAlert, Code, ListFilter, X } from 'lucide-react';
import { type KeyboardEvent, type RefObject, useId, useState } from 'react';
import { attributeNames, conditionWords } from './condition-words.ts';
import { withCondition, withoutCondition } from './edit-query.ts';
import styles from './filter-field.module.css';
import { FieldEnd, QueryTextField } from './query-text-field.tsx';
import { QuickTimes } from './quick-times.tsx';
import {
  type KnownValues,
  type Suggestion,
  suggestionsFor,
  valueProblem,
  valueSuggestions,
} from './suggestions.ts';
import { useTypes } from './use-types.ts';
import {
  type Condition,
  isTimeAttribute,
  type ListQuery,
  parseQuery,
  printQuery,
} from './visibility-query.ts';

interface FilterProps {
  /** Distinguishes this filter from the page's other filters, if it has any. */
  readonly label?: string;
  readonly namespace: string;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly query: ListQuery;
  readonly known: KnownValues;
  /** Temporal's message about an invalid query. */
  readonly error: string | undefined;
  readonly onApply: (query: ListQuery) => void;
}

/** The list's filter, as conditions in words or as the text of the same visibility query. */
export function Filter({ label, namespace, field, query, known, error, onApply }: FilterProps) {
  const [asText, setAsText] = useState(false);
  const errorId = useId();
  const describedBy = error === undefined ? undefined : errorId;
  const isRaw = query.kind === 'raw';
  const shownAsText = asText || isRaw;
  const problem = isRaw ? `Shown as text, because ${query.problem}.` : undefined;
  return (
    <div className={styles['filter']} role="search" aria-label={label}>
      <div className={styles['form']}>
        {shownAsText ? (
          <QueryTextField
            key={printQuery(query)}
            field={field}
            text={printQuery(query)}
            errorId={describedBy}
            onApply={onApply}
          />
        ) : (
          <ConditionField
            namespace={namespace}
            field={field}
            query={query}
            known={known}
            errorId={describedBy}
            onApply={onApply}
          />
        )}
        {error === undefined ? null : (
          <p id={errorId} className={styles['error']} role="alert">
            <CircleAlert size={12} aria-hidden="true" />
            {error}
          </p>
        )}
        {problem === undefined || error !== undefined ? null : <p className={styles['note']}>{problem}</p>}
      </div>
      <QuickTimes query={query} onApply={onApply} />
      <div className={styles['segmented']} role="group" aria-label="Show the filter as">
        <button type="button" aria-pressed={!shownAsText} disabled={isRaw} onClick={() => setAsText(false)}>
          Filters
        </button>
        <button type="button" aria-pressed={shownAsText} onClick={() => setAsText(true)}>
          <Code size={13} aria-hidden="true" />
          Query
        </button>
      </div>
    </div>
  );
}

interface ConditionFieldProps extends Omit<FilterProps, 'error' | 'label'> {
  /** The id of the message about an invalid query. */
  readonly errorId: string | undefined;
}

/** The conditions as chips, and a combobox that adds conditions. */
function ConditionField({ namespace, field, query, errorId, onApply, ...rest }: ConditionFieldProps) {
  const list = useId();
  const [text, setText] = useState('');
  const [attribute, setAttribute] = useState<string>();
  const [open, setOpen] = useState(false);
  const [highlighted, setHighlighted] = useState(0);
  const conditions = query.kind === 'conditions' ? query.conditions : [];
  const known = useTypes(namespace, rest.known, text, open);
  const suggestions =
    attribute === undefined ? suggestionsFor(text, known) : valueSuggestions(attribute, text, known);
  const problem = open && attribute !== undefined ? valueProblem(attribute, text, known) : undefined;
  const current = Math.min(highlighted, suggestions.length - 1);

  function edit(next: string) {
    setText(next);
    setOpen(true);
    setHighlighted(0);
  }

  function take(suggestion: Suggestion | undefined) {
    if (suggestion === undefined) return;
    edit('');
    if (suggestion.kind === 'attribute') {
      setAttribute(suggestion.attribute);
      field.current?.focus();
      return;
    }
    setAttribute(undefined);
    setOpen(false);
    // If the text contains several conditions, adds all of them.
    const typed = attribute === undefined ? parseQuery(text) : undefined;
    const isTyped = typed?.kind === 'conditions' && typed.conditions.length > 1;
    const added = isTyped ? typed.conditions : [suggestion.condition];
    onApply(added.reduce((all: ListQuery, condition) => withCondition(all, condition), query));
  }

  function remove(index: number) {
    onApply(withoutCondition(query, index));
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>) {
    switch (event.key) {
      case 'ArrowDown':
      case 'ArrowUp': {
        event.preventDefault();
        setOpen(true);
        const step = event.key === 'ArrowDown' ? 1 : -1;
        if (open) setHighlighted((current + step + suggestions.length) % Math.max(suggestions.length, 1));
        break;
      }
      case 'Enter':
        event.preventDefault();
        // An empty field adds nothing unless the user has chosen a suggestion.
        if (open && (text.trim() !== '' || attribute !== undefined || highlighted > 0))
          take(suggestions[current]);
        break;
      case 'Escape':
        if (open && text + (attribute ?? '') !== '') {
          setText('');
          setAttribute(undefined);
        } else event.currentTarget.blur();
        setOpen(false);
        break;
      case 'Backspace':
        if (text !== '') break;
        if (attribute !== undefined) setAttribute(undefined);
        else if (conditions.length > 0) onApply(withoutCondition(query, conditions.length - 1));
        break;
      default:
    }
  }

  return (
    <div className={styles['field']} data-invalid={errorId === undefined ? undefined : ''}>
      <ListFilter size={14} aria-hidden="true" />
      {conditions.map((condition, index) => (
        <Chip
          key={printQuery({ kind: 'conditions', conditions: [condition] })}
          condition={condition}
          onEdit={() => {
            edit(printQuery({ kind: 'conditions', conditions: [condition] }));
            remove(index);
          }}
          onRemove={() => remove(index)}
        />
      ))}
      {attribute === undefined ? null : (
        <span className={styles['partial']}>{attributeNames[attribute] ?? attribute}</span>
      )}
      <span className={styles['entry']}>
        <input
          ref={field}
          className={styles['input']}
          role="combobox"
          aria-label="Filter workflows"
          aria-expanded={open && suggestions.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={open && suggestions.length > 0 ? `${list}-${current}` : undefined}
          aria-invalid={errorId !== undefined}
          aria-describedby={problem === undefined ? errorId : `${list}-problem`}
          placeholder={placeholderFor(attribute, conditions.length)}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          value={text}
          onChange={(event) => edit(event.target.value)}
          onFocus={() => setOpen(true)}
          // After the user has chosen with the mouse, the field still has the focus, so a click must open the
          // list again.
          onClick={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        <FieldEnd
          empty={text === '' && conditions.length === 0 && attribute === undefined}
          onClear={() => {
            setText('');
            setAttribute(undefined);
            onApply(parseQuery(''));
          }}
        />
      </span>
      {problem === undefined ? null : (
        <p id={`${list}-problem`} className={styles['problem']} role="status">
          {problem}
        </p>
      )}
      <div
        id={list}
        role="listbox"
        aria-label="Suggestions"
        className={styles['suggestions']}
        hidden={!open || suggestions.length === 0}
      >
        {suggestions.map((suggestion, index) => (
          <div
            key={keyOf(suggestion)}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === current}
            tabIndex={-1}
            // Runs before the field loses the focus, because losing it would close the list.
            onMouseDown={(event) => {
              event.preventDefault();
              take(suggestion);
            }}
          >
            <SuggestionText suggestion={suggestion} />
          </div>
        ))}
      </div>
    </div>
  );
}

function placeholderFor(attribute: string | undefined, conditions: number): string {
  if (attribute !== undefined && isTimeAttribute(attribute))
    return '-24h, today, or 2026-11-24T13:00:00Z; < for before';
  if (attribute !== undefined) return 'a value; ! for “is not”, * at the end for “begins with”';
  return conditions > 0 ? 'Add a filter' : 'Add a filter: status, type, id, time or search attribute';
}

const keyOf = (suggestion: Suggestion) =>
  suggestion.kind === 'attribute'
    ? suggestion.attribute
    : printQuery({ kind: 'conditions', conditions: [suggestion.condition] });

function SuggestionText({ suggestion }: { suggestion: Suggestion }) {
  if (suggestion.kind === 'attribute') {
    const { attribute } = suggestion;
    const name = attributeNames[attribute];
    return (
      <>
        <span>{name ?? attribute}</span>
        {name === undefined ? null : <span className="t2">{attribute}</span>}
      </>
    );
  }
  return <Words condition={suggestion.condition} />;
}

function Words({ condition }: { condition: Condition }) {
  const { name, operator, value } = conditionWords(condition);
  return (
    <span className={styles['words']}>
      {name ? <span>{name} </span> : null}
      {operator ? <span className="t3">{operator} </span> : null}
      <b>{value}</b>
    </span>
  );
}

interface ChipProps {
  readonly condition: Condition;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
}

function Chip({ condition, onEdit, onRemove }: ChipProps) {
  const { name, operator, value } = conditionWords(condition);
  const words = [name, operator, value].filter(Boolean).join(' ');
  return (
    <span className={styles['chip']}>
      <button type="button" className={styles['label']} aria-label={`Edit filter: ${words}`} onClick={onEdit}>
        <Words condition={condition} />
      </button>
      <button
        type="button"
        className={styles['remove']}
        aria-label={`Remove filter: ${words}`}
        data-tip="Remove filter"
        onClick={onRemove}
      >
        <X size={12} />
      </button>
    </span>
  );
}
