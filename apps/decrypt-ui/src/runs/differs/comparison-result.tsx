import { escapeInvisible, MAX_FIELD_RUNS, reasonEntries } from '@temporal-kms/codec-api';
import { CircleAlert, Lock, ShieldCheck, Square } from 'lucide-react';
import { Countdown } from '../../payloads/reveal/countdown.tsx';
import { askToReveal, keepFocus } from '../../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { accessToNamespace } from '../../payloads/reveal/reveals.ts';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { EmptyState, Notice } from '../../ui/page/notice.tsx';
import { useStore } from 'zustand';
import type { Comparison, Comparisons, ReadSet } from './comparison.ts';
import { DifferencesTable } from './differences-table.tsx';
import styles from './differs.module.css';
import type { Queries } from './presets.ts';

interface ComparisonResultProps {
  readonly namespace: string;
  /** The queries of the sets as the reader wrote them. */
  readonly texts: Queries;
  /** The same without relative times. */
  readonly queries: Queries;
  readonly comparisons: Comparisons;
}

/** Compares two sets on request, and shows what differs. */
export function ComparisonResult({ namespace, texts, queries, comparisons }: ComparisonResultProps) {
  const { comparison: last } = useStore(comparisons.store);
  const reveals = useReveals();
  const access = useRevealed((state) => accessToNamespace(state, namespace).status);
  const until = useRevealed((state) => {
    const now = accessToNamespace(state, namespace);
    return now.status === 'open' ? now.grant?.until : undefined;
  });
  const isCurrent = last?.namespace === namespace && last.queries.every((query, n) => query === queries[n]);
  const comparison = isCurrent ? last : undefined;
  const lock = () => {
    keepFocus();
    reveals.lock(namespace);
  };
  useCommands({ 'payloads.lock': comparison?.decoded ? lock : undefined });

  /** Compares with the inputs, and asks for a reveal before, where it is needed. */
  function compare() {
    const now = accessToNamespace(reveals.store.getState(), namespace);
    if (now.status === 'refused') comparisons.start({ namespace, queries, decoded: false });
    else if (now.status === 'open')
      comparisons.start({ namespace, queries, decoded: true }, now.grant?.justification);
    else {
      const name = `all runs of ${escapeInvisible(namespace)}`;
      const target = { kind: 'namespace', namespace } as const;
      askToReveal(reveals, { choices: [{ target, text: name, name }], onRevealed: compare });
    }
  }

  return (
    <>
      <div className={styles['bar']}>
        {comparison && isRunning(comparison) ? (
          <Button onClick={() => comparisons.stop()}>
            <Square size={10} />
            Stop
          </Button>
        ) : (
          <Button
            look={access === 'refused' ? 'primary' : 'crypto'}
            disabled={queries[0] === queries[1]}
            onClick={compare}
          >
            {comparison ? 'Compare again' : 'Compare'}
          </Button>
        )}
        {access === 'locked' && !comparison ? (
          <Button
            look="ghost"
            disabled={queries[0] === queries[1]}
            onClick={() => comparisons.start({ namespace, queries, decoded: false })}
          >
            Compare without payloads
          </Button>
        ) : null}
        {comparison ? <Progress comparison={comparison} /> : null}
        {comparison?.decoded ? (
          <span className={styles['lock']}>
            {until !== undefined && Number.isFinite(until) ? (
              <>
                Hidden in <Countdown until={until} />
              </>
            ) : null}
            <Button look="ghost" size="small" {...tip('payloads.lock')} onClick={lock}>
              <Lock size={12} />
              Lock
            </Button>
          </span>
        ) : null}
      </div>
      {queries[0] === queries[1] ? (
        <p className={styles['note']}>Both sets have the same query. Choose another one for A or for B.</p>
      ) : null}
      {access === 'refused' ? (
        <p className={styles['note']}>
          <Lock size={12} aria-hidden="true" />
          You may not decrypt payloads of {escapeInvisible(namespace)}, so only fields that need no decryption
          are compared. Ask the operator of the codec server for the permission <code>decode</code>.
        </p>
      ) : (
        <p className={styles['note']}>
          <ShieldCheck size={12} aria-hidden="true" />
          The server decrypts the input and memo of up to {MAX_FIELD_RUNS} runs of each set, with an audit
          entry for each run.
        </p>
      )}
      {comparison ? <Outcome comparison={comparison} texts={texts} comparisons={comparisons} /> : null}
    </>
  );
}

const isRunning = ({ sets }: Comparison) => sets.some(({ status }) => status === 'running');

/** How many runs were read, and how many could not be. */
function Progress({ comparison: { sets, decoded } }: { comparison: Comparison }) {
  const [a, b] = sets;
  const failed = a.failed + b.failed;
  const unreadable = unreadableRuns(a) + unreadableRuns(b);
  return (
    <span className={styles['progress']} role="status">
      <span>
        {formatCount(a.runs.length)} and {plural(b.runs.length, 'run')} read
      </span>
      {decoded ? <span className="t3">{plural(a.kmsCalls + b.kmsCalls, 'Cloud KMS call')}</span> : null}
      {failed > 0 ? <span className={styles['left']}>{plural(failed, 'run')} could not be read</span> : null}
      {unreadable > 0 ? (
        <span className={styles['left']}>
          {plural(unreadable, 'input or memo', 'inputs or memos')} could not be decrypted
        </span>
      ) : null}
    </span>
  );
}

const unreadableRuns = ({ unreadable }: ReadSet) =>
  reasonEntries(unreadable).reduce((sum, [, count]) => sum + count, 0);

interface OutcomeProps extends Pick<ComparisonResultProps, 'texts' | 'comparisons'> {
  readonly comparison: Comparison;
}

function Outcome({ comparison, texts, comparisons }: OutcomeProps) {
  const { sets, result, decoded } = comparison;
  const failure = sets.find(({ status }) => status === 'failed')?.failure;
  const isPartial = sets.some(({ status }) => status === 'stopped' || status === 'limit');
  const nothing = result?.differences.length === 0;
  return (
    <>
      {failure ? (
        <div className={styles['notice']}>
          <Notice
            severity="error"
            icon={<CircleAlert size={14} />}
            title="Not all runs could be read"
            action={<Button onClick={() => comparisons.resume()}>Try again</Button>}
          >
            {failure.message}
          </Notice>
        </div>
      ) : null}
      {isPartial ? (
        <p className={styles['note']}>
          Stopped before all runs were read.
          <Button size="small" onClick={() => comparisons.resume()}>
            Continue
          </Button>
        </p>
      ) : null}
      {result && nothing ? <Nothing comparison={comparison} comparisons={result.comparisons} /> : null}
      {result && !nothing ? (
        <DifferencesTable
          namespace={comparison.namespace}
          result={result}
          texts={texts}
          runs={[...sets[0].runs, ...sets[1].runs]}
        />
      ) : null}
      {result && !decoded ? <p className={styles['note']}>Inputs and memos were not compared.</p> : null}
    </>
  );
}

function Nothing({ comparison, comparisons }: { comparison: Comparison; comparisons: number }) {
  const [a, b] = comparison.sets.map(({ runs }) => runs.length);
  return comparisons === 0 ? (
    <EmptyState icon={<CircleAlert size={16} />} title="Too few runs to tell chance from cause">
      The sets have {formatCount(a ?? 0)} and {plural(b ?? 0, 'run')}. Choose larger sets.
    </EmptyState>
  ) : (
    <EmptyState
      icon={<ShieldCheck size={16} />}
      title={`Nothing differs by more than chance (${plural(comparisons, 'comparison')})`}
    >
      The cause is in no field of {comparison.decoded ? 'input, memo or metadata' : 'the metadata'}, or too
      few runs share it.
    </EmptyState>
  );
}
