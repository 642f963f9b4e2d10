import { clsx } from 'clsx';
import { ChevronRight } from 'lucide-react';
import { useMemo, useState } from 'react';
import { isFrame, type StackLine, stackLines, stackRows } from '@temporal-kms/histories/failures';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { plural } from '../../ui/format/number.ts';
import { Breakable } from '../../ui/text/breakable.tsx';
import { CodeView } from '../code-view.tsx';
import styles from './stack-trace-view.module.css';

interface StackTraceProps {
  readonly text: string;
  /** Returns the text to copy, or undefined if the text has been hidden in the meantime. */
  readonly read: () => string | undefined;
  readonly decrypted: boolean;
  readonly initiallyOpen: boolean;
  /** Whether to scroll to the application's first frame. */
  readonly showCode: boolean;
}

/** A stack trace that shows the application's frames and folds library frames. */
export function StackTrace({ text, read, decrypted, initiallyOpen, showCode }: StackTraceProps) {
  const [open, setOpen] = useState(initiallyOpen);
  const [libraries, setLibraries] = useState<ReadonlySet<number>>(new Set());
  const lines = useMemo(() => stackLines(text), [text]);
  const rows = useMemo(() => stackRows(lines, libraries), [lines, libraries]);
  const frames = lines.filter(isFrame).length;
  const code = rows.findIndex((row) => row.kind === 'line' && isFrame(row.line) && row.line.own);

  const toggle = (from: number) =>
    setLibraries(
      libraries.has(from)
        ? new Set([...libraries].filter((other) => other !== from))
        : new Set([...libraries, from]),
    );

  return (
    <div className={styles['stack']}>
      <div className={styles['stackHead']}>
        <button
          type="button"
          className={styles['disclosure']}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <ChevronRight size={12} aria-hidden="true" />
          Stack trace <span className="t3">{plural(frames || lines.length, frames ? 'frame' : 'line')}</span>
        </button>
        {open ? <CopyButton what="stack trace" text={read} /> : null}
      </div>
      {open ? (
        <CodeView
          count={rows.length}
          label="Stack trace"
          decrypted={decrypted}
          wrap
          current={showCode && code >= 0 ? code : undefined}
          renderLine={(index) => {
            const row = rows[index];
            if (row?.kind !== 'libraries') return row ? <TraceLine line={row.line} /> : null;
            return (
              <button
                type="button"
                className={styles['libraries']}
                aria-expanded={libraries.has(row.from)}
                onClick={() => toggle(row.from)}
              >
                <ChevronRight size={10} aria-hidden="true" />
                {plural(row.count, 'frame')} of libraries
              </button>
            );
          }}
        />
      ) : null}
    </div>
  );
}

function TraceLine({ line }: { line: StackLine }) {
  if (!isFrame(line)) return <div className={styles['text']}>{line.text}</div>;
  const { call, place, code, own } = line;
  return (
    <div className={clsx(styles['frame'], !own && styles['foreign'])} data-own={own}>
      <span className={styles['call']}>{call || '(anonymous)'}</span>{' '}
      <span className={styles['place']}>
        <Breakable>{place}</Breakable>
      </span>
      {code === undefined ? null : <div className={styles['code']}>{code}</div>}
    </div>
  );
}
