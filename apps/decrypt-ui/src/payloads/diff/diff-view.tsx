import { clsx } from 'clsx';
import { ChevronsUpDown, Ellipsis } from 'lucide-react';
import { type ReactNode, useMemo, useState } from 'react';
import { formatCount, plural } from '../../ui/format/number.ts';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { CodeView } from '../code-view.tsx';
import type { PayloadValue } from '../value/payload-value.ts';
import styles from './diff-view.module.css';
import { cutOf, cutText, MORE } from './line-cut.ts';
import { changedLines, type DiffRow, diffRows, type Piece, wordDiff } from './line-diff.ts';
import { useDiff } from './use-diff.ts';

interface DiffViewProps {
  readonly left: PayloadValue;
  readonly right: PayloadValue;
  readonly label: string;
  /** Whether to fill the parent's height. */
  readonly fill?: boolean;
}

/**
 * Two payloads side by side or in one column, with their differing lines and words marked. Equal lines far
 * from a change are folded.
 */
export function DiffView({ left, right, label, fill }: DiffViewProps) {
  const result = useDiff(left, right);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [more, setMore] = useState<ReadonlyMap<string, number>>(new Map());
  const parts = result.status === 'ready' ? result.diff.parts : undefined;
  const oneColumn = useNarrowerThan(PHONE_BELOW);
  const rows = useMemo(() => (parts ? diffRows(parts, open, oneColumn) : []), [parts, open, oneColumn]);
  if (result.status === 'waiting')
    return (
      <p className={styles['note']} role="status">
        Comparing…
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
          if (!row) return null;
          if (row.kind !== 'folded') {
            const key = `${row.left} ${row.right}`;
            const times = more.get(key) ?? 0;
            return (
              <Lines
                row={row}
                left={result.diff.left}
                right={result.diff.right}
                more={times}
                onMore={() => setMore(new Map(more).set(key, times + 1))}
              />
            );
          }
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
  /** Number of times the user has requested more of the lines. */
  readonly more: number;
  readonly onMore: () => void;
}

function Lines({ row, left, right, more, onMore }: LinesProps) {
  const first = row.left === undefined ? undefined : (left[row.left] ?? '');
  const second = row.right === undefined ? undefined : (right[row.right] ?? '');
  const changed = row.kind === 'changed';
  const cut = useMemo(() => cutOf(first ?? '', second ?? '', more), [first, second, more]);
  const before = first === undefined ? undefined : cutText(first, cut);
  const after = second === undefined ? undefined : cutText(second, cut);
  const words = useMemo(
    () => (changed && before !== undefined && after !== undefined ? wordDiff(before, after) : undefined),
    [changed, before, after],
  );
  const length = Math.max(first?.length ?? 0, second?.length ?? 0);
  const hidden = length - (cut.to - cut.from);
  return (
    <div className={clsx(styles['row'], changed && styles['changed'])} data-diff={row.kind}>
      {row.only === 'right' ? null : (
        <Side sign="−" changed={changed} position={row.left} text={before} pieces={words?.left} />
      )}
      {row.only === 'left' ? null : (
        <Side sign="+" changed={changed} position={row.right} text={after} pieces={words?.right} />
      )}
      {hidden > 0 ? (
        <button type="button" className={styles['more']} onClick={onMore}>
          <Ellipsis size={12} aria-hidden="true" />
          {hidden <= MORE
            ? `Show all ${formatCount(length)} characters`
            : `Show ${formatCount(MORE)} more of ${formatCount(length)} characters`}
        </button>
      ) : null}
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
  if (text === undefined) return <div className={clsx(styles['side'], styles['empty'])} />;
  return (
    <div className={styles['side']}>
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
    // oxlint-disable-next-line react/no-array-index-key -- the order of a line's pieces never changes
    return changed ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>;
  });
