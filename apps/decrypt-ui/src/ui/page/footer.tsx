import type { ReactNode } from 'react';
import { type CommandId, firstKey } from '../commands/commands.ts';
import { useAvailableCommands } from '../commands/registry.ts';
import { Kbd } from '../text/kbd.tsx';
import styles from './footer.module.css';

interface FooterProps {
  readonly children: ReactNode;
  /**
   * The page's most used commands: the keys of those that can run now are shown in front of the text. They end at the right
   * edge, so commands that can run only sometimes come first: then the others keep their place.
   */
  readonly hints: readonly { readonly commands: readonly CommandId[]; readonly text: string }[];
}

/** The bar at the bottom of a page: its state on the left, its most used keys on the right. */
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
