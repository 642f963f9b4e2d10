import type { AuditVerification } from '@temporal-kms/codec-api';
import { CircleAlert, ShieldAlert, ShieldCheck, X } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatBytes, formatCount, plural } from '../ui/format/number.ts';
import { formatClock } from '../ui/format/time.ts';
import { Notice } from '../ui/page/notice.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import type { Task } from '../ui/use-task.ts';
import styles from './audit.module.css';

/** The result of the last verification of the hash chain. Renders nothing before the first verification. */
export function ChainResult({ chain }: { chain: Task<AuditVerification> }) {
  const [closed, setClosed] = useState<AuditVerification | Error>();
  const { result, error } = chain;
  const shown = error ?? result;
  if (!shown || shown === closed) return null;
  const close = (
    <Button
      look="ghost"
      size="small"
      icon
      aria-label="Close"
      data-tip="Close"
      onClick={() => setClosed(shown)}
    >
      <X size={14} />
    </Button>
  );
  if (error) {
    return (
      <div className={styles['banner']}>
        <Notice
          severity="error"
          icon={<CircleAlert size={14} />}
          title="The chain could not be verified"
          action={close}
        >
          {error.message}
        </Notice>
      </div>
    );
  }
  if (!result) return null;
  return (
    <section className={styles['chain']} data-outcome={toneOf(result)} aria-label="Hash chain">
      <span className={styles['chainIcon']}>
        {result.status === 'intact' ? <ShieldCheck size={16} /> : <ShieldAlert size={16} />}
      </span>
      <div className="spacer">
        <Verdict result={result} />
      </div>
      {close}
    </section>
  );
}

const toneOf = ({ status }: AuditVerification) =>
  status === 'intact' ? 'ok' : status === 'broken' ? 'failed' : 'pending';

function Verdict({ result }: { result: AuditVerification }) {
  const format = useTimeFormat();
  const { status, lines, bytes, head, follows, problems, problemCount } = result;
  const at = formatClock(Date.parse(result.time), format);
  if (status === 'too_large') {
    return (
      <>
        <p className="strong">The file is too large to be verified here</p>
        <p className="t2">
          Verify it on the server: <code>node main.mjs verify-audit FILE</code>
          {head === undefined ? '.' : <Head head={head} />}
        </p>
      </>
    );
  }
  if (status === 'intact') {
    return (
      <>
        <p className="strong">
          The chain is intact: {plural(lines, 'line')}, {formatBytes(bytes)}, verified at {at}
        </p>
        <p className="t2">
          Every line follows the one before it, up to the last line that the server wrote.
          {follows === undefined
            ? null
            : ` The first line follows line ${formatCount(follows.seq)} of a rotated file, which was not read.`}
          {head === undefined ? null : <Head head={head} />}
        </p>
      </>
    );
  }
  const first = problems.find(({ line }) => line !== undefined) ?? problems[0];
  return (
    <>
      <p className="strong">
        The chain is broken
        {first === undefined
          ? ''
          : first.line === undefined
            ? `: ${first.problem}`
            : ` at line ${formatCount(first.line)}: ${first.problem}`}
      </p>
      <p className="t2">
        {plural(problemCount, 'problem')} in {plural(lines, 'line')}, verified at {at}. Keep the file as it
        is, and run <code>verify-audit</code> on the server for all of them.
      </p>
      {problems.length > 1 ? (
        <ul className={styles['problems']}>
          {problems
            .filter((problem) => problem !== first)
            .map(({ line, problem }) => (
              <li key={`${line} ${problem}`}>
                {line === undefined ? '' : `line ${formatCount(line)}: `}
                {problem}
              </li>
            ))}
        </ul>
      ) : null}
    </>
  );
}

/**
 * The last line that the server's process has written. A person who stores this line elsewhere can later prove
 * that the file was not truncated.
 */
function Head({ head }: { head: NonNullable<AuditVerification['head']> }) {
  const text = `${head.seq}:${head.hash}`;
  return (
    <>
      {' '}
      Keep the number and hash of the last line elsewhere, to prove later that no line was cut off:{' '}
      <span className={styles['lastLine']}>
        <span className="mono" data-tip={text}>
          {head.seq}:{head.hash.slice(0, 12)}…
        </span>
        <CopyButton what="last line" text={() => text} />
      </span>
    </>
  );
}
