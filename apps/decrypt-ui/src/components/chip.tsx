import type { ReactNode } from 'react';
import type { Outcome } from '../model/outcome.ts';
import styles from './chip.module.css';
import { OutcomeGlyph } from './glyphs.tsx';

/** An outcome as a tinted pill; its words always stand beside the glyph. */
export function Chip({ outcome, children }: { outcome: Outcome; children: ReactNode }) {
  return (
    <span className={styles['chip']} data-outcome={outcome}>
      <OutcomeGlyph outcome={outcome} />
      {children}
    </span>
  );
}
