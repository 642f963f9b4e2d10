import { clsx } from 'clsx';
import type { ComponentPropsWithRef } from 'react';
import styles from './button.module.css';

export interface ButtonLook {
  /** `quiet` is for a button on its own, `ghost` for one in a bar, `primary` for the main action of a page. */
  readonly look?: 'quiet' | 'ghost' | 'primary' | 'crypto';
  readonly size?: 'normal' | 'small';
  /** A square button that shows an icon only. It needs an `aria-label`. */
  readonly icon?: boolean;
}

/** The classes of a button, for a link that looks like one. */
export const buttonClass = ({ look = 'quiet', size = 'normal', icon = false }: ButtonLook = {}) =>
  clsx(styles['button'], styles[look], size === 'small' && styles['small'], icon && styles['icon']);

type ButtonProps = ComponentPropsWithRef<'button'> & ButtonLook;

export function Button({ look, size, icon, className, type = 'button', ...rest }: ButtonProps) {
  const own = buttonClass({ ...(look && { look }), ...(size && { size }), ...(icon && { icon }) });
  return <button type={type} className={clsx(own, className)} {...rest} />;
}
