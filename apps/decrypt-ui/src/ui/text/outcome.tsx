import type { ReactNode } from 'react';
import styles from './outcome.module.css';

const bg = 'var(--glyph-bg, var(--bg))';
const line = { fill: 'none', stroke: 'currentColor', strokeWidth: 1.5, strokeLinecap: 'round' } as const;
const inner = { fill: 'none', stroke: bg, strokeLinecap: 'round', strokeLinejoin: 'round' } as const;

/** Glyphs on a 14 px grid. Outcomes differ in shape and colour, so that no user depends on colour. */
const shapes = {
  running: (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} strokeOpacity=".38" />
      <path d="M7 1.75A5.25 5.25 0 0 1 12.25 7" {...line} />
      <circle cx="7" cy="7" r="2" fill="currentColor" />
    </>
  ),
  ok: (
    <>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path d="M4.3 7.2l1.9 1.9 3.6-3.9" {...inner} strokeWidth="1.6" />
    </>
  ),
  failed: (
    <>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path d="M4.9 4.9l4.2 4.2M9.1 4.9L4.9 9.1" {...inner} strokeWidth="1.6" />
    </>
  ),
  'timed-out': (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} />
      <path d="M7 4.2V7l2 1.4" {...line} strokeLinejoin="round" />
    </>
  ),
  canceled: (
    <>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path d="M4.6 7h4.8" {...inner} strokeWidth="1.7" />
    </>
  ),
  terminated: (
    <>
      <path d="M4.6 1h4.8L13 4.6v4.8L9.4 13H4.6L1 9.4V4.6z" fill="currentColor" />
      <path d="M5 5h4v4H5z" fill={bg} />
    </>
  ),
  continued: (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} />
      <path d="M4.5 7h4.6M7.3 5l2 2-2 2" {...line} strokeLinejoin="round" />
    </>
  ),
  paused: (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} />
      <path d="M5.6 5v4M8.4 5v4" {...line} />
    </>
  ),
  pending: (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} strokeLinecap="butt" strokeDasharray="2.6 2.1" />
      <circle cx="7" cy="7" r="1.6" fill="currentColor" />
    </>
  ),
  denied: (
    <>
      <circle cx="7" cy="7" r="5.25" {...line} />
      <path d="M3.5 10.5l7-7" {...line} />
    </>
  ),
  neutral: <circle cx="7" cy="7" r="5.25" {...line} strokeOpacity=".6" />,
} as const satisfies Readonly<Record<string, ReactNode>>;

type OutcomeName = keyof typeof shapes;

export function OutcomeGlyph({ outcome }: { outcome: OutcomeName }) {
  return (
    <svg className={styles['glyph']} data-outcome={outcome} viewBox="0 0 14 14" aria-hidden="true">
      {shapes[outcome]}
    </svg>
  );
}

/** An outcome as a tinted pill with a glyph and text. */
export function OutcomeChip({ outcome, children }: { outcome: OutcomeName; children: ReactNode }) {
  return (
    <span className={styles['chip']} data-outcome={outcome}>
      <OutcomeGlyph outcome={outcome} />
      {children}
    </span>
  );
}
