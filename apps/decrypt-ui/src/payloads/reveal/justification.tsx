import { justification } from '@temporal-kms/codec-api';
import { type ReactNode, type RefObject, useId, useRef, useState } from 'react';
import { Button, type ButtonProps } from '../../ui/controls/button.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import styles from './justification.module.css';

/** Maximum length of a justification that the server accepts, in characters. */
const MAX_LENGTH = 500;

/** Returns the justification as the server records it, or undefined if the server would refuse the text. */
export function justificationOf(text: string): string | undefined {
  const parsed = justification.safeParse(text);
  return parsed.success ? parsed.data : undefined;
}

interface JustificationFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Whether to say below the field that the text is missing. */
  readonly missing?: boolean;
  readonly field?: RefObject<HTMLInputElement | null>;
  /** Whether the justification is optional: the audit records it, but the namespace does not require it. */
  readonly optional?: boolean;
}

/**
 * A field where a person states why they need plaintext. Send the justification in a request's body, never in
 * a URL, and keep it only in memory.
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
        {missing
          ? 'Write why you need the plaintext.'
          : 'The audit records the justification with your name.'}
      </p>
    </div>
  );
}

/** Manages the text of a `JustificationField`, and whether the field says that the text is missing. */
export function useJustification(initial = '') {
  const field = useRef<HTMLInputElement>(null);
  const [value, setValue] = useState(initial);
  const [missing, setMissing] = useState(false);
  const onChange = (text: string) => {
    setValue(text);
    setMissing(false);
  };
  return {
    /** The field's props. */
    props: { value, missing, field, onChange },
    /** Returns the justification. If the text is missing, the field says so and gets the focus. */
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
  /** What the server will decrypt and the person will see. */
  readonly description: ReactNode;
  /** Further choices, between the description and the field. */
  readonly children?: ReactNode;
  /** The submit button's text. */
  readonly action: ReactNode;
  /** The field's initial text. */
  readonly initial?: string;
  readonly onSubmit: (justification: string) => void;
  readonly onClose: () => void;
}

/**
 * Asks for a justification before the server decrypts payloads in a namespace that reveals payloads on demand. The
 * caller renders the dialog while it is open, and closes it in `onSubmit`.
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
        // The browser must not store what people write here.
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

interface GiveJustificationProps
  extends
    Pick<JustificationDialogProps, 'title' | 'description' | 'action' | 'onSubmit'>,
    Pick<ButtonProps, 'size' | 'className'> {
  /** Whether the dialog is open at first. */
  readonly isOpen?: boolean;
}

/**
 * A button that asks for a justification after the server has refused to decrypt payloads without a
 * justification.
 */
export function GiveJustification({
  isOpen = false,
  onSubmit,
  size,
  className,
  ...dialog
}: GiveJustificationProps) {
  const [asking, setAsking] = useState(isOpen);
  return (
    <>
      <Button look="crypto" {...(size && { size })} className={className} onClick={() => setAsking(true)}>
        Give a justification
      </Button>
      {asking ? (
        <JustificationDialog
          {...dialog}
          onClose={() => setAsking(false)}
          onSubmit={(given) => {
            setAsking(false);
            onSubmit(given);
          }}
        />
      ) : null}
    </>
  );
}
