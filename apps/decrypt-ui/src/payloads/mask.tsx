import { formatBytes } from '../ui/format/number.ts';
import styles from './mask.module.css';

/**
 * Returns a mask's width in CSS pixels for a payload's stored size. There are only four widths, because a value's
 * exact length reveals something about the value.
 */
export function maskWidth(bytes: number): 16 | 32 | 56 | 88 {
  if (bytes <= 16) return 16;
  if (bytes <= 128) return 32;
  return bytes <= 512 ? 56 : 88;
}

interface MaskedFieldProps {
  /** The width in CSS pixels. */
  readonly width: number;
  /**
   * Names the hidden text for screen readers. The label is absent if text next to the field already names the
   * hidden text.
   */
  readonly label?: string;
}

/** A field of dots in place of text. */
export function MaskedField({ width, label }: MaskedFieldProps) {
  const meaning = label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label };
  return <span className={styles['dots']} style={{ width }} {...meaning} />;
}

interface MaskProps {
  readonly bytes: number;
  /** Why the value is not shown. */
  readonly state?: 'waiting' | 'locked' | 'refused' | 'stored';
  /** Whether to show the size. False if the text next to the mask already shows it. */
  readonly sized?: boolean;
}

const words = {
  waiting: 'Being decrypted',
  locked: 'Locked',
  refused: 'Encrypted',
  stored: 'In external storage',
} as const;

/** A placeholder for an encrypted value: dots and the stored size. */
export function Mask({ bytes, state = 'refused', sized = true }: MaskProps) {
  return (
    <span className={styles['masked']} data-masked={state}>
      <MaskedField width={maskWidth(bytes)} {...(!sized && { label: words[state] })} />
      {sized ? (
        <span className={styles['size']}>
          <span className="sr-only">{words[state]}, </span>
          {formatBytes(bytes)}
        </span>
      ) : null}
    </span>
  );
}
