import type { ReactNode } from 'react';
import { type CommandId, firstKey } from '../commands/commands.ts';
import { useAvailableCommands } from '../commands/registry.ts';
import { Kbd } from '../text/kbd.tsx';
import styles from './footer.module.css';

interface FooterProps {
  readonly children: ReactNode;
  /**
   * The page's most used commands. Shows the keys of those that can run now, in front of each text. The bar is
   * right-aligned, so list commands that can run only sometimes first: the others then keep their place.
   */
  readonly hints: readonly { readonly commands: readonly CommandId[]; readonly text: string }[];
}

/** The bar at the bottom of a page: the page's state on the left, its most used keys on the right. */
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
