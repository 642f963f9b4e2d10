import { useCommands } from '../../ui/commands/registry.ts';
import { lazyModule, useModule } from '../../ui/lazy-module.ts';
import type { WhyProps } from './why-props.ts';
import styles from './why.module.css';

/** The card's code. The page loads the code while it waits for the run. */
export const card = lazyModule(() => import('./why-card.tsx'));

/**
 * The card above a run's history. From the start, the card is one line high, so that no row moves when the
 * card's code or a failed step arrives.
 */
export function Why(props: WhyProps) {
  useCommands({ 'view.path': props.onPath });
  const module = useModule(card, true);
  return module ? <module.WhyCard {...props} /> : <div className={styles['space']} aria-busy="true" />;
}
