import { formatBytes } from '../ui/format/number.ts';
import styles from './mask.module.css';

/**
 * Width of a mask in CSS pixels, by the stored size of the payload. There are only four widths on purpose: the exact
 * length of a value is information about the value.
 */
export function maskWidth(bytes: number): 16 | 32 | 56 | 88 {
  if (bytes <= 16) return 16;
  if (bytes <= 128) return 32;
  return bytes <= 512 ? 56 : 88;
}

interface MaskedFieldProps {
  /** In CSS pixels. */
  readonly width: number;
  /** What the field stands for; absent where the text next to it says so. */
  readonly label?: string;
}

/** A field of dots in place of a text. */
export function MaskedField({ width, label }: MaskedFieldProps) {
  const meaning = label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label };
  return <span className={styles['dots']} style={{ width }} {...meaning} />;
}

interface MaskProps {
  readonly bytes: number;
  /** Why the value is not shown. */
  readonly state?: 'waiting' | 'locked' | 'refused';
}

const words = { waiting: 'Being decrypted, ', locked: 'Locked, ', refused: 'Encrypted, ' } as const;

/** Stands for an encrypted value: dots, and the stored size in words. */
export function Mask({ bytes, state = 'refused' }: MaskProps) {
  return (
    <span className={styles['masked']} data-masked={state}>
      <MaskedField width={maskWidth(bytes)} />
      <span className={styles['size']}>
        <span className="sr-only">{words[state]}</span>
        {formatBytes(bytes)}
      </span>
    </span>
  );
}
