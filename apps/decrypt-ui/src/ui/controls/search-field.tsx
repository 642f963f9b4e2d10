import { CaseSensitive, Search } from 'lucide-react';
import type { KeyboardEventHandler, ReactNode, Ref } from 'react';
import styles from './search-field.module.css';

/** Maximum length of the text that the codec server searches for, in characters. */
const MAX_LENGTH = 200;

interface SearchFieldProps {
  readonly ref?: Ref<HTMLInputElement>;
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly disabled?: boolean;
  readonly onChange: (value: string) => void;
  readonly onKeyDown: KeyboardEventHandler;
  /** Buttons inside the field, after the text. */
  readonly children?: ReactNode;
}

/** A search field whose text the browser does not store. */
export function SearchField(props: SearchFieldProps) {
  const { ref, label, placeholder, value, disabled = false, onChange, onKeyDown, children } = props;
  return (
    <div className={styles['field']}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={ref}
        aria-label={label}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        maxLength={MAX_LENGTH}
        disabled={disabled}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {children}
    </div>
  );
}

/** The button in a search field that makes the search case-sensitive. */
export function MatchCase({ on, onChange }: { on: boolean; onChange: (on: boolean) => void }) {
  return (
    <button
      type="button"
      className={styles['case']}
      aria-label="Match case"
      data-tip="Match case"
      aria-pressed={on}
      onClick={() => onChange(!on)}
    >
      <CaseSensitive size={16} />
    </button>
  );
}
