import { isFailure } from '@temporal-kms/histories/events';
import { useCommands } from '../../ui/commands/registry.ts';
import { lazyModule, useModule } from '../../ui/lazy-module.ts';
import { useRun } from '../run/run-context.tsx';
import type { WhyProps } from './why-props.ts';
import styles from './why.module.css';

const card = lazyModule(() => import('./why-card.tsx'));

/** Events above which a completed run has a card too: it has more steps than a reader looks at. */
const LONG = 200;

/**
 * The place of the card above a history. It has the height of a line from the start, so that the card moves no row, and the
 * card's code is loaded next to the history.
 */
export function Why(props: WhyProps) {
  const wanted = useWanted() || props.path;
  useCommands({ 'view.path': props.onPath });
  const module = useModule(card, wanted);
  if (!wanted) return null;
  return module ? <module.WhyCard {...props} /> : <div className={styles['space']} aria-busy="true" />;
}

/** Whether the run needs an explanation: it did not complete, it is long, or a step of it failed. */
function useWanted(): boolean {
  const { description, follow } = useRun();
  const { status, historyLength } = description.workflow;
  if (status !== 'Completed' && status !== 'ContinuedAsNew') return true;
  if (historyLength > LONG) return true;
  return follow.history.groups.some(({ category, outcome }) => category !== 'task' && isFailure(outcome));
}
