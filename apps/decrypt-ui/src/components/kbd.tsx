import styles from './kbd.module.css';

/** A key cap: the text that stands on a key. */
export function Kbd({ children }: { children: string }) {
  return <kbd className={styles['kbd']}>{children}</kbd>;
}
