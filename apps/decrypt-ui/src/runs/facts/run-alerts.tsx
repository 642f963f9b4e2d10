import { useQuery } from '@tanstack/react-query';
import type { RunTaskQueue } from '@temporal-kms/codec-api';
import { lazy, Suspense } from 'react';
import { useRunsApi } from '../api.ts';
import { taskQueuesQuery } from '../queries.ts';
import { useRun } from '../run/run-context.tsx';
import styles from './run-alerts.module.css';

// Few runs have alerts.
const AlertLines = lazy(async () => ({ default: (await import('./alert-lines.tsx')).AlertLines }));

/** Lists external conditions that affect the run: task queues that no worker polls, and the run that a reset created. */
export function RunAlerts() {
  const { resetRunId } = useRun().description.relations;
  const queues = useTaskQueues().filter(({ polling }) => !polling);
  if (queues.length === 0 && !resetRunId) return null;
  return (
    <ul className={styles['alerts']} aria-label="Alerts">
      <Suspense fallback={<li className={styles['line']} aria-busy="true" />}>
        <AlertLines queues={queues} resetRunId={resetRunId} />
      </Suspense>
    </ul>
  );
}

const none: readonly RunTaskQueue[] = [];

/** Returns the task queues on which the run depends. A paused run needs no worker. */
function useTaskQueues(): readonly RunTaskQueue[] {
  const api = useRunsApi();
  const { address, description, open } = useRun();
  const enabled = open && !address.file && description.workflow.status === 'Running';
  return useQuery({ ...taskQueuesQuery(api, address), enabled }).data?.taskQueues ?? none;
}
