import type { ReactNode } from 'react';
import { type CommandId, firstKey } from '../commands/commands.ts';
import { useAvailableCommands } from '../commands/registry.ts';
import { Kbd } from '../text/kbd.tsx';
import styles from './footer.module.css';

interface FooterProps {
  readonly children: ReactNode;
  /**
   * The page's most used commands. In front of each text, the bar shows the keyboard shortcuts of the commands that can
   * run now. The bar is right-aligned, so list commands that are not always available first: the other commands then
   * keep their positions.
   */
  readonly hints: readonly { readonly commands: readonly CommandId[]; readonly text: string }[];
}

/**
 * The bar at the bottom of a page. The bar shows the page's state on the left, and the page's most used keyboard
 * shortcuts on the right.
 */
export function Footer({ children, hints }: FooterProps) {
  const available = useAvailableCommands();
  const shown = hints.filter(({ commands }) =>
    commands.every((id) => available.includes(id) && firstKey(id) !== ''),
  );
  return (
    <footer className={styles['footer']} data-unprinted="">
      {children}
      <span className={styles['keys']} aria-hidden="true">
        {shown.map(({ commands, text }) => (
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
