import { clsx } from 'clsx';
import type { ComponentPropsWithRef } from 'react';
import styles from './button.module.css';

export interface ButtonLook {
  /** `quiet` is for a separate button, `ghost` for a button in a bar, and `primary` for the main action of a page. */
  readonly look?: 'quiet' | 'ghost' | 'primary' | 'crypto';
  readonly size?: 'normal' | 'small';
  /** Whether the button is square and shows only an icon. A square button needs an `aria-label`. */
  readonly icon?: boolean;
}

/** Returns the classes of a button, also for links that look like buttons. */
export const buttonClass = ({ look = 'quiet', size = 'normal', icon = false }: ButtonLook = {}) =>
  clsx(styles['button'], styles[look], size === 'small' && styles['small'], icon && styles['icon']);

export type ButtonProps = ComponentPropsWithRef<'button'> & ButtonLook;

export function Button({ look, size, icon, className, type = 'button', ...rest }: ButtonProps) {
  const own = buttonClass({ ...(look && { look }), ...(size && { size }), ...(icon && { icon }) });
  return <button type={type} className={clsx(own, className)} {...rest} />;
}
