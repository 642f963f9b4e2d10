import { clsx } from 'clsx';
import { Check } from 'lucide-react';
import type { InputHTMLAttributes } from 'react';
import styles from './check-box.module.css';

interface CheckBoxProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'type' | 'className'> {
  readonly checked: boolean;
  readonly className?: string | undefined;
}

/** A checkbox. A class may set `--box` (its size) and `--reach` (how far the clickable area extends beyond each side). */
export function CheckBox({ className, ...input }: CheckBoxProps) {
  const { checked } = input;
  return (
    <span className={clsx(styles['box'], className)} data-checked={checked ? '' : undefined}>
      <input type="checkbox" {...input} />
      {checked ? <Check size={12} aria-hidden="true" /> : null}
    </span>
  );
}
