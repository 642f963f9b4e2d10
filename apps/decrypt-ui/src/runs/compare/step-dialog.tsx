import { escapeInvisible } from '@temporal-kms/codec-api';
import { useState } from 'react';
import { DiffView } from '../../payloads/diff/diff-view.tsx';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { shortRunId } from '../../ui/format/run-id.ts';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { groupTitle } from '../events/describe-group.ts';
import { type RunScope, RunScopeProvider } from '../run/run-context.tsx';
import styles from './compare-dialog.module.css';
import { ComparedPayload } from './compared-payload.tsx';
import { type AlignedStep, type PayloadPair, payloadPairs } from './run-alignment.ts';

interface StepDialogProps {
  readonly step: AlignedStep;
  readonly left: RunScope;
  readonly right: RunScope;
  readonly onClose: () => void;
}

/** A dialog with a step's payloads in two runs, side by side. */
export function StepDialog({ step, left, right, onClose }: StepDialogProps) {
  const group = step.left ?? step.right;
  const pairs = payloadPairs(step, left, right);
  const title = group ? groupTitle(group) : '';
  return (
    <Dialog title={title} large open onOpenChange={(open) => !open && onClose()}>
      {pairs.length > 0 ? (
        <div className={styles['sides']}>
          <RunName sign="−" scope={left} />
          <RunName sign="+" scope={right} />
        </div>
      ) : null}
      <div className={styles['pairs']}>
        {pairs.length === 0 ? <p className="t2">This step has no payloads.</p> : null}
        {pairs.map((pair) => (
          <Pair key={pair.place} pair={pair} />
        ))}
      </div>
    </Dialog>
  );
}

/** A run's ids, after the sign that marks the run's lines in the comparison. */
const RunName = ({ sign, scope: { run } }: { sign: string; scope: RunScope }) => (
  <p className="ellipsis">
    <span className="mono" aria-hidden="true">
      {sign}
    </span>{' '}
    {escapeInvisible(run.address.workflowId)} <span className="mono t3">{shortRunId(run.address.runId)}</span>
  </p>
);

function Pair({ pair: { title, left, right } }: { pair: PayloadPair }) {
  const [first, setFirst] = useState<PayloadValue>();
  const [second, setSecond] = useState<PayloadValue>();
  if (!left || !right) {
    const only = left ?? right;
    return only ? (
      <RunScopeProvider scope={only.scope}>
        <PayloadBlock stub={only.stub} title={`${title}, ${left ? 'first' : 'second'} run only`} />
      </RunScopeProvider>
    ) : null;
  }
  return (
    <section className={styles['pair']} aria-label={title}>
      <h3 className={styles['name']}>{title}</h3>
      <div className={styles['sides']}>
        <div className={styles['side']}>
          <RunScopeProvider scope={left.scope}>
            <ComparedPayload stub={left.stub} title={`${title}, first run`} onValue={setFirst} />
          </RunScopeProvider>
        </div>
        <div className={styles['side']}>
          <RunScopeProvider scope={right.scope}>
            <ComparedPayload stub={right.stub} title={`${title}, second run`} onValue={setSecond} />
          </RunScopeProvider>
        </div>
      </div>
      {first && second ? (
        <DiffView left={first} right={second} label={`Differences of ${title.toLowerCase()}`} />
      ) : null}
    </section>
  );
}
