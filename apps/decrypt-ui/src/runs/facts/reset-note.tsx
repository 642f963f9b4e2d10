import { RotateCcw } from 'lucide-react';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './reset-note.module.css';

/** A note on the page of a run that was reset, with a link to the run that continues it. */
export function ResetNote() {
  const { address, description } = useRun();
  const { resetRunId } = description.relations;
  if (!resetRunId) return null;
  return (
    <p className={styles['note']}>
      <RotateCcw size={14} aria-hidden="true" />
      <span>
        <span className="strong">This run was reset</span>{' '}
        <span className="t2">
          It continues as{' '}
          <RunAnchor run={{ ...address, runId: resetRunId }} className="mono">
            {resetRunId}
          </RunAnchor>
        </span>
      </span>
    </p>
  );
}
