import { useState } from 'react';
import { DiffView } from '../../payloads/diff/diff-view.tsx';
import type { PayloadValue } from '../../payloads/value/payload-value.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { categoryText, groupName } from '../events/describe-group.ts';
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

/** The payloads of a step in two runs, next to each other. */
export function StepDialog({ step, left, right, onClose }: StepDialogProps) {
  const group = step.left ?? step.right;
  const pairs = payloadPairs(step);
  const title = group ? `${categoryText[group.category]} ${groupName(group).text}` : '';
  return (
    <Dialog title={title} large open onOpenChange={(open) => !open && onClose()}>
      <div className={styles['pairs']}>
        {pairs.length === 0 ? <p className="t2">This step has no payloads.</p> : null}
        {pairs.map((pair) => (
          <Pair key={pair.place} pair={pair} left={left} right={right} />
        ))}
      </div>
    </Dialog>
  );
}

interface PairProps {
  readonly pair: PayloadPair;
  readonly left: RunScope;
  readonly right: RunScope;
}

function Pair({ pair, left, right }: PairProps) {
  const [first, setFirst] = useState<PayloadValue>();
  const [second, setSecond] = useState<PayloadValue>();
  const { title } = pair;
  if (!pair.left || !pair.right) {
    const [stub, scope, name] = pair.left ? [pair.left, left, 'first'] : [pair.right, right, 'second'];
    return stub ? (
      <RunScopeProvider scope={scope}>
        <PayloadBlock stub={stub} title={`${title}, ${name} run only`} />
      </RunScopeProvider>
    ) : null;
  }
  return (
    <section className={styles['pair']} aria-label={title}>
      <h3 className={styles['name']}>{title}</h3>
      <div className={styles['sides']}>
        <div className={styles['side']}>
          <RunScopeProvider scope={left}>
            <ComparedPayload stub={pair.left} title={`${title}, first run`} onValue={setFirst} />
          </RunScopeProvider>
        </div>
        <div className={styles['side']}>
          <RunScopeProvider scope={right}>
            <ComparedPayload stub={pair.right} title={`${title}, second run`} onValue={setSecond} />
          </RunScopeProvider>
        </div>
      </div>
      {first && second ? (
        <DiffView left={first} right={second} label={`Differences of ${title.toLowerCase()}`} />
      ) : null}
    </section>
  );
}
