import { mapHistories, type ScanPart } from '../scan-part.ts';
import type { ScanSource } from '../../temporal/scan-source.ts';

/** Maximum number of run ids in a query. */
const MAX_IDS = 50;
const RUN_ID = /^[\w-]{1,64}$/;

/** Fills in the workflow ids of the examples in the part. An id stays empty if the run no longer exists. */
export async function findWorkflowIds(part: ScanPart, source: Pick<ScanSource, 'runs'>): Promise<ScanPart> {
  const wanted = new Set<string>();
  mapHistories(part, (history) => {
    if (history.runId !== undefined && RUN_ID.test(history.runId)) wanted.add(history.runId);
    return history;
  });
  const found = new Map<string, string>();
  const ids = [...wanted];
  while (ids.length > 0) {
    const list = ids.splice(0, MAX_IDS).map((id) => `"${id}"`);
    for await (const runs of source.runs(`RunId IN (${list.join(',')})`))
      for (const { runId, workflowId } of runs) found.set(runId, workflowId);
  }
  return mapHistories(part, (history) => ({ ...history, workflowId: found.get(history.runId ?? '') ?? '' }));
}
