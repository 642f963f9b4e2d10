import type { ReactNode } from 'react';
import { firstKey, type ShortcutId } from '../shortcuts/shortcuts.ts';
import styles from './footer.module.css';
import { Kbd } from './kbd.tsx';

interface FooterProps {
  readonly children: ReactNode;
  /** The page's most used commands: their keys are shown in front of the text. */
  readonly hints: readonly { readonly commands: readonly ShortcutId[]; readonly text: string }[];
}

/** The bar at the bottom of a page: its state on the left, its most used keys on the right. */
export function Footer({ children, hints }: FooterProps) {
  return (
    <footer className={styles['footer']}>
      {children}
      <span className={styles['keys']} aria-hidden="true">
        {hints.map(({ commands, text }) => (
          <span key={text}>
            {commands.map((id) => (
              <Kbd key={id}>{firstKey(id)}</Kbd>
            ))}
            {text}
          </span>
        ))}
      </span>
    </footer>
  );
}
