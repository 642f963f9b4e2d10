import { Readable } from 'node:stream';
import { countRun } from '../count-run.ts';
import { ScanResults } from '../scan-results.ts';
import { emptyPart, mapHistories, mergeParts, type ScanPart, withoutNames } from '../scan-part.ts';
import { CONCURRENCY, type TimeRange } from '../passes.ts';
import { type ListedRun, type RangeSource, ScanError } from '../../temporal/scan-source.ts';
import type { ScanState } from '../state.ts';
import type { References } from '../stored-objects.ts';
import { queryFor } from './plan.ts';

/** How far the scan of a range has come, as JSON. */
export interface Checkpoint {
  /** Temporal's token for the next page, in base64. */
  readonly pageToken: string;
  readonly part: ScanPart;
  /**
   * The ids of the open runs that were listed. A run that closes moves towards the end of Temporal's lists,
   * so a later page may contain the run again.
   */
  readonly open: readonly string[];
}

export interface RangeScan {
  readonly source: RangeSource;
  readonly range: TimeRange;
  readonly keyIds: readonly string[];
  /** The summaries of closed runs that earlier scans kept; if undefined, every closed run is read. */
  readonly state: ScanState | undefined;
  /** Reads the objects to which histories refer. Without this reader, each reference counts as a gap. */
  readonly references?: References | undefined;
  /** The last checkpoint of the previous attempt, if there was one. */
  readonly from: Checkpoint | undefined;
  /** Whether this is the last attempt. In the last attempt, runs that Temporal does not return become gaps. */
  readonly isLastAttempt: boolean;
  /** Called after each page. */
  readonly checkpoint: (checkpoint: Checkpoint) => void;
  readonly signal: AbortSignal;
}

/**
 * Scans the runs that were started in a range, a page at a time. Like a scan in one process, reads a closed run only if
 * the state does not contain the run. Runs that cannot be read become gaps. If Temporal does not answer, the attempt
 * ends, and the next attempt continues at the checkpoint.
 * @returns the findings, without workflow ids
 * @throws ScanError if runs cannot be listed, or if runs cannot be read and a further attempt follows. Throws the
 * signal's reason after an abort
 */
export async function scanRange({
  source,
  range,
  keyIds,
  state,
  references,
  from,
  isLastAttempt,
  checkpoint,
  signal,
}: RangeScan): Promise<ScanPart> {
  const query = queryFor(range);
  const isFatal = (error: unknown): boolean =>
    !isLastAttempt && error instanceof ScanError && error.kind === 'unavailable';
  const open = new Set(from?.open);
  let part = from?.part ?? emptyPart();
  let pageToken: Uint8Array = Buffer.from(from?.pageToken ?? '', 'base64');
  for (;;) {
    const { runs, nextPageToken } = await source.runPage(query, pageToken);
    const found = new ScanResults(keyIds, references);
    found.begin('open');
    found.begin('closed');
    const unseen = runs.filter(({ runId }) => !open.has(runId));
    for (const { runId, isOpen } of unseen) if (isOpen) open.add(runId);
    const reads = Readable.from(unseen).map(
      async (run: ListedRun) => {
        signal.throwIfAborted();
        await countRun(source, run, state, found, isFatal);
        return true;
      },
      { concurrency: CONCURRENCY },
    );
    for await (const _ of reads);
    await state?.flush();
    part = mergeParts(part, withoutWorkflowIds(found.toPart()));
    if (nextPageToken.length === 0) return part;
    pageToken = nextPageToken;
    checkpoint({ pageToken: Buffer.from(pageToken).toString('base64'), part, open: [...open] });
  }
}

/**
 * Removes workflow ids, which may be sensitive, from examples and from the names of objects. The client finds the
 * workflow ids of examples by their run ids.
 */
function withoutWorkflowIds(part: ScanPart): ScanPart {
  const gaps = part.gaps.map(withoutNames);
  return mapHistories({ ...part, gaps }, (history) => ({ ...history, workflowId: '' }));
}
