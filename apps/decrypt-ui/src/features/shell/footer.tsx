import type { ReactNode } from 'react';
import { Kbd } from '../../components/kbd.tsx';
import styles from './footer.module.css';

interface FooterProps {
  readonly children: ReactNode;
  /** Keys and what they do, most used first. */
  readonly keys: readonly (readonly [readonly string[], string])[];
}

export function Footer({ children, keys }: FooterProps) {
  return (
    <footer className={styles['footer']}>
      {children}
      <span className={styles['keys']} aria-hidden="true">
        {keys.map(([names, text]) => (
          <span key={text}>
            {names.map((name) => (
              <Kbd key={name}>{name}</Kbd>
            ))}
            {text}
          </span>
        ))}
      </span>
    </footer>
  );
}
