import { Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { ChevronLeft } from 'lucide-react';
import type { RunAddress } from '../../api/client.ts';
import { buttonClass } from '../../components/button.tsx';
import { HistorySkeleton } from '../history/history-skeleton.tsx';
import headerStyles from './run-header.module.css';
import { useHeadingFocus } from './use-heading-focus.ts';
import styles from './run-page.module.css';

/** The page of a run while the server describes it: what the address tells, and placeholders for the rest. */
export function RunSkeleton({ address }: { address: RunAddress }) {
  const heading = useHeadingFocus();
  const { namespace, workflowId, runId } = address;
  return (
    <div className={styles['loading']} aria-busy="true">
      <div className={headerStyles['header']}>
        <Link
          to="/ns/$namespace/workflows"
          params={{ namespace }}
          className={buttonClass({ look: 'ghost', icon: true })}
          aria-label="All workflows"
          data-tip="All workflows"
        >
          <ChevronLeft size={16} />
        </Link>
        <h1 ref={heading} tabIndex={-1} className={headerStyles['id']} title={escapeInvisible(workflowId)}>
          {escapeInvisible(workflowId)}
        </h1>
        <span className={headerStyles['run']}>{runId.slice(0, 8)}</span>
      </div>
      <div className={styles['skeletonFacts']} aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
      </div>
      <div className={styles['skeletonTabs']} aria-hidden="true">
        <i />
        <i />
      </div>
      <HistorySkeleton />
    </div>
  );
}
