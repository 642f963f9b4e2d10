import styles from './kbd.module.css';

/** A key cap. Renders nothing for a command that has no key, or whose key is switched off. */
export function Kbd({ children }: { children: string }) {
  return children === '' ? null : <kbd className={styles['kbd']}>{children}</kbd>;
}
