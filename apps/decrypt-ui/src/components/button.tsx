import type { ComponentPropsWithRef } from 'react';
import styles from './button.module.css';

export interface ButtonLook {
  /** `quiet` stands on its own, `ghost` in a bar, `primary` is the one thing to do. */
  readonly look?: 'quiet' | 'ghost' | 'primary' | 'crypto';
  readonly size?: 'normal' | 'small';
  /** Square, for a lone icon; give it an `aria-label`. */
  readonly icon?: boolean;
}

export const buttonClass = ({ look = 'quiet', size = 'normal', icon = false }: ButtonLook = {}) =>
  [styles['button'], styles[look], size === 'small' && styles['small'], icon && styles['icon']]
    .filter(Boolean)
    .join(' ');

type ButtonProps = ComponentPropsWithRef<'button'> & ButtonLook;

export function Button({ look, size, icon, className, type = 'button', ...rest }: ButtonProps) {
  const own = buttonClass({ ...(look && { look }), ...(size && { size }), ...(icon && { icon }) });
  return <button type={type} className={className ? `${own} ${className}` : own} {...rest} />;
}
