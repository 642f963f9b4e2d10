import { justification } from '@temporal-kms/codec-api';
import { type ReactNode, type RefObject, useId, useRef, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import styles from './justification.module.css';

/** The longest justification that the server accepts, in characters. */
const MAX_LENGTH = 500;

/** Returns a justification as the server records it; undefined for a text that the server refuses. */
export function justificationOf(text: string): string | undefined {
  const parsed = justification.safeParse(text);
  return parsed.success ? parsed.data : undefined;
}

interface JustificationFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** States under the field that the text is missing. */
  readonly missing?: boolean;
  readonly field?: RefObject<HTMLInputElement | null>;
  /** The namespace does not ask for a justification, but records it. */
  readonly optional?: boolean;
}

/**
 * The field where a person states why they need plaintext. Send its text in the body of a request, never in a URL, and
 * keep it in memory only.
 */
export function JustificationField({ value, onChange, missing, field, optional }: JustificationFieldProps) {
  const id = useId();
  return (
    <div className={styles['justification']}>
      <label htmlFor={id} className={styles['label']}>
        Justification{optional ? <span className="t3"> (optional)</span> : null}
      </label>
      <input
        ref={field}
        id={id}
        className={styles['field']}
        placeholder="For example, the ticket that you work on"
        maxLength={MAX_LENGTH}
        autoComplete="off"
        spellCheck={false}
        value={value}
        aria-required={!optional}
        aria-invalid={missing ? true : undefined}
        aria-describedby={`${id}-note`}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={`${id}-note`} className={styles['note']} role={missing ? 'alert' : undefined}>
        {missing ? 'Write why you need the plaintext.' : 'The audit records it with your name.'}
      </p>
    </div>
  );
}

/** The text of a `JustificationField`, and whether the field states that the text is missing. */
export function useJustification(initial = '') {
  const field = useRef<HTMLInputElement>(null);
  const [value, setValue] = useState(initial);
  const [missing, setMissing] = useState(false);
  const onChange = (text: string) => {
    setValue(text);
    setMissing(false);
  };
  return {
    /** The properties of the field. */
    props: { value, missing, field, onChange },
    /** Returns the justification. Without one, the field states that and gets the focus. */
    submit: (): string | undefined => {
      const given = justificationOf(value);
      if (given === undefined) {
        setMissing(true);
        field.current?.focus();
      }
      return given;
    },
  };
}

interface JustificationDialogProps {
  readonly title: string;
  /** What the server decrypts, and what the person sees then. */
  readonly description: ReactNode;
  /** Further choices, between the description and the field. */
  readonly children?: ReactNode;
  /** The submit button's text. */
  readonly action: ReactNode;
  /** The text in the field at first. */
  readonly initial?: string;
  readonly onSubmit: (justification: string) => void;
  readonly onClose: () => void;
}

/**
 * Asks for a justification before the server decrypts in a namespace that reveals on demand. The caller renders it
 * while it is open, and closes it in `onSubmit`.
 */
export function JustificationDialog({
  title,
  description,
  children,
  action,
  initial = '',
  onSubmit,
  onClose,
}: JustificationDialogProps) {
  const { props, submit } = useJustification(initial);
  return (
    <Dialog title={title} open onOpenChange={(open) => !open && onClose()} initialFocus={props.field}>
      <form
        className={styles['form']}
        // The browser must not keep what people write here.
        autoComplete="off"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const given = submit();
          if (given !== undefined) onSubmit(given);
        }}
      >
        <div className={styles['description']}>{description}</div>
        {children}
        <JustificationField {...props} />
        <div className={styles['actions']}>
          <Button look="ghost" onClick={onClose}>
            Cancel
          </Button>
          <Button look="crypto" type="submit">
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
