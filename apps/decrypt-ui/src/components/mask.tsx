import { formatBytes } from '../model/format/number.ts';
import { maskWidth } from '../model/mask.ts';
import styles from './mask.module.css';

/** A sealed value: dots whose width is a bucket of its stored size, and the size in words. */
export function Mask({ bytes, working = false }: { bytes: number; working?: boolean }) {
  return (
    <span className={styles['masked']} data-masked="">
      <span
        className={`${styles['dots']} ${working ? styles['working'] : ''}`}
        style={{ width: maskWidth(bytes) }}
        aria-hidden="true"
      />
      <span className={styles['size']}>
        <span className="sr-only">Sealed, </span>
        {formatBytes(bytes)}
      </span>
    </span>
  );
}
