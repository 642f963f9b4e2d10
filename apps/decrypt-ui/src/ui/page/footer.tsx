import type { ReactNode } from 'react';
import { type CommandId, firstKey } from '../commands/commands.ts';
import { useAvailableCommands } from '../commands/registry.ts';
import { Kbd } from '../text/kbd.tsx';
import styles from './footer.module.css';

interface FooterProps {
  readonly children: ReactNode;
  /**
   * The page's most used commands. While all commands of a hint can run, the bar shows their keyboard
   * shortcuts, followed by the text. The bar is right-aligned: put hints that are not always shown first, so
   * that the others keep their positions.
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
