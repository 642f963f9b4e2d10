import { clsx } from 'clsx';
import { ChevronsUpDown } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { plural } from '../../model/format/number.ts';
import { changedLines, type DiffRow, diffRows, type Piece, wordDiff } from '../../model/line-diff.ts';
import { CodeView } from '../payload/code-view.tsx';
import styles from './diff-view.module.css';
import { useDiff } from './use-diff.ts';

interface DiffViewProps {
  readonly left: readonly string[];
  readonly right: readonly string[];
  readonly label: string;
  /** Fills the height of the element around it. */
  readonly fill?: boolean;
}

/** Two texts next to each other, with the lines and words in which they differ. Equal lines are folded. */
export function DiffView({ left, right, label, fill }: DiffViewProps) {
  const result = useDiff(left, right);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const parts = result.status === 'ready' ? result.diff.parts : undefined;
  const rows = useMemo(() => (parts ? diffRows(parts, open) : []), [parts, open]);
  if (result.status === 'waiting')
    return (
      <p className={styles['note']} role="status">
        Comparing …
      </p>
    );
  if (result.status === 'failed')
    return (
      <p className={styles['note']} role="alert">
        The payloads could not be compared: the browser ended the worker. Close other tabs and try again.
      </p>
    );
  const changed = changedLines(result.diff.parts);
  return (
    <>
      <p className={styles['note']} role="status">
        {changed === 0
          ? 'The payloads are equal.'
          : `${plural(changed, 'line')} differ${changed === 1 ? 's' : ''}.`}
        {result.diff.aligned ? '' : ' They differ too much to be aligned line by line.'}
      </p>
      <CodeView
        count={rows.length}
        label={label}
        decrypted
        wrap
        fill={fill}
        renderLine={(index) => {
          const row = rows[index];
          if (row?.kind !== 'folded') return row ? <Lines row={row} left={left} right={right} /> : null;
          return (
            <button
              type="button"
              className={styles['folded']}
              onClick={() => setOpen(new Set([...open, row.at]))}
            >
              <ChevronsUpDown size={12} aria-hidden="true" />
              {plural(row.count, 'equal line')}
            </button>
          );
        }}
      />
    </>
  );
}

interface LinesProps {
  readonly row: Exclude<DiffRow, { kind: 'folded' }>;
  readonly left: readonly string[];
  readonly right: readonly string[];
}

function Lines({ row, left, right }: LinesProps) {
  const first = row.left === undefined ? undefined : (left[row.left] ?? '');
  const second = row.right === undefined ? undefined : (right[row.right] ?? '');
  const changed = row.kind === 'changed';
  const words = useMemo(
    () => (changed && first !== undefined && second !== undefined ? wordDiff(first, second) : undefined),
    [changed, first, second],
  );
  return (
    <div className={clsx(styles['row'], changed && styles['changed'])} data-diff={row.kind}>
      <Side sign="−" changed={changed} position={row.left} text={first} pieces={words?.left} />
      <Side sign="+" changed={changed} position={row.right} text={second} pieces={words?.right} />
    </div>
  );
}

interface SideProps {
  readonly sign: '−' | '+';
  readonly changed: boolean;
  readonly position: number | undefined;
  readonly text: string | undefined;
  readonly pieces: readonly Piece[] | undefined;
}

function Side({ sign, changed, position, text, pieces }: SideProps) {
  const side = sign === '−' ? styles['before'] : styles['after'];
  if (text === undefined) return <div className={clsx(styles['side'], styles['empty'], side)} />;
  return (
    <div className={clsx(styles['side'], side)}>
      <span className={styles['position']} aria-hidden="true">
        {position === undefined ? '' : position + 1}
      </span>
      <span className={styles['sign']}>{changed ? sign : ' '}</span>
      <span className={styles['text']}>{pieces ? marked(pieces) : text}</span>
    </div>
  );
}

const marked = (pieces: readonly Piece[]): ReactNode =>
  pieces.map(({ text, changed }, index) => {
    // oxlint-disable-next-line react/no-array-index-key -- the pieces of a line never move
    return changed ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>;
  });
