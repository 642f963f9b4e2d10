import {
  ActivityFailure,
  ApplicationFailure,
  continueAsNew,
  defineQuery,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { emptyPart, mergeParts, type ScanPart } from '../scan-part.ts';
import type { RunsFound } from '../remote-runs.ts';
import {
  MAX_ATTEMPTS,
  PROGRESS_QUERY,
  type ScanActivities,
  type ScanInput,
  type ScanStatus,
} from './contract.ts';
import { runStage, type StageWork } from './run-stage.ts';
import { type MutableProgress, runStages, startProgress } from './stages.ts';

const { planShards, scanShard } = proxyActivities<ScanActivities>({
  // A killed worker sends no heartbeats, so another worker continues its shard after this time.
  heartbeatTimeout: '20 seconds',
  startToCloseTimeout: '12 hours',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute', maximumAttempts: MAX_ATTEMPTS },
});

export async function temporalKmsScan(input: ScanInput): Promise<RunsFound> {
  const { scanId, namespace, namespaceId, retentionSeconds, keyIds, rps, settleMs } = input;
  const scope = { scanId, namespace, namespaceId, retentionSeconds, keyIds };
  const progress: MutableProgress = { ...(input.progress ?? startProgress(Date.now(), settleMs)) };
  let running = 0;
  setHandler(defineQuery<ScanStatus>(PROGRESS_QUERY), () => {
    const { open, closed } = mergeParts(progress.found, progress.stageFound).looked;
    return {
      stage: progress.stage.kind,
      shardsDone: progress.shardsDone,
      shardsRunning: running,
      runs: open.histories + closed.histories,
    };
  });
  const scan: StageWork['scan'] = async (shard) => {
    running += 1;
    try {
      return await scanShard({ ...scope, ...shard });
    } finally {
      running -= 1;
    }
  };
  return await runStages(progress, {
    settleMs,
    now: () => Date.now(),
    sleep,
    runStage: () =>
      runStage(progress, {
        rps,
        plan: (range) => planShards({ ...scope, ...range }),
        scan,
        missed,
        isFull: () => workflowInfo().continueAsNewSuggested,
        continueAsNew: () => continueAsNew<typeof temporalKmsScan>({ ...input, progress }),
      }),
  });
}

/** Returns gaps for the runs that could not be read. @throws the error, if it is a cancellation */
function missed(error: unknown): ScanPart {
  if (isCancellation(error)) throw error;
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const known = cause instanceof ApplicationFailure ? cause : undefined;
  const kind = known?.type === 'not_permitted' || known?.type === 'unavailable' ? known.type : 'unreadable';
  const message =
    known?.type === kind && known.message
      ? known.message
      : "Some runs could not be read: the workers' logs contain the reason.";
  const empty = emptyPart();
  const failed = { status: 'partial' as const, histories: 0, read: 0, payloads: 0 };
  return {
    ...empty,
    looked: { ...empty.looked, open: failed, closed: failed },
    gaps: (['open', 'closed'] as const).map((place) => ({ kind, place, message })),
  };
}
