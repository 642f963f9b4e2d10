import type { RunAddress } from '../../session/server/addresses.ts';
import { shortRunId } from '../../ui/format/run-id.ts';
import { Footer } from '../../ui/page/footer.tsx';
import { HistorySkeleton } from '../history/history-skeleton.tsx';
import headerStyles from './run-header.module.css';
import { RunTitle } from './run-title.tsx';
import styles from './run-page.module.css';

/**
 * The skeleton of a run's page, shown until the server has returned the run's description. Shows what the
 * address contains, and placeholders for the rest.
 */
export function RunSkeleton({ address }: { address: RunAddress }) {
  const { runId } = address;
  return (
    <div className={styles['loading']} aria-busy="true">
      <div className={headerStyles['header']}>
        <RunTitle address={address} />
        {runId === '' ? null : <span className={headerStyles['run']}>{shortRunId(runId)}</span>}
      </div>
      <div className={styles['skeletonFacts']} aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
      </div>
      <div className={styles['skeletonWhy']} aria-hidden="true" />
      <div className={styles['skeletonTabs']} aria-hidden="true">
        <i />
        <i />
      </div>
      <HistorySkeleton />
      <Footer hints={[]}>{null}</Footer>
    </div>
  );
}
