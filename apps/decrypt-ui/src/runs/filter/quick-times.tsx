import { clsx } from 'clsx';
import { startOf, withStart } from './edit-query.ts';
import styles from './filter-field.module.css';
import { quickTimes } from './suggestions.ts';
import type { ListQuery } from './visibility-query.ts';

interface QuickTimesProps {
  readonly query: ListQuery;
  readonly onApply: (query: ListQuery) => void;
}

/**
 * Buttons that limit the list to runs that started, for example, in the last hour. A second click removes the
 * limit.
 */
export function QuickTimes({ query, onApply }: QuickTimesProps) {
  const start = startOf(query);
  return (
    <div className={clsx(styles['segmented'], styles['times'])} role="group" aria-label="Started">
      {quickTimes.map(({ value, label }) => (
        <button
          key={value}
          type="button"
          aria-pressed={start === value}
          disabled={query.kind === 'raw'}
          onClick={() => onApply(withStart(query, start === value ? undefined : value))}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
