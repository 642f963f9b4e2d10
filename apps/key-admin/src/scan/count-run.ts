import type { ScanResults } from './scan-results.ts';
import { readRun } from './read-run.ts';
import type { ListedRun, ScanSource } from '../temporal/scan-source.ts';
import type { ScanState } from './state.ts';

/**
 * Counts the payloads of a run. A closed run is read once, because the state keeps its summary. An unreadable run
 * counts as a gap. The history decides whether the run is open: Temporal's lists lag behind histories, so a list may
 * still show a closed run as open. If the history contradicts the list, the run is read again.
 * @param state keeps summaries of closed runs; undefined to keep nothing
 * @param isFatal whether to throw an error instead of counting a gap, because the caller will retry
 */
export async function countRun(
  source: Pick<ScanSource, 'describeRun' | 'history'>,
  run: ListedRun,
  state: ScanState | undefined,
  found: ScanResults,
  isFatal: (error: unknown) => boolean = () => false,
): Promise<void> {
  const known = run.isOpen ? undefined : state?.get(run.runId);
  if (known !== undefined) return await found.count('closed', run, known, false);
  try {
    let { isOpen } = run;
    let read = await readRun(source, run);
    if (read?.isClosed === isOpen) {
      isOpen = !isOpen;
      read = await readRun(source, { ...run, isOpen });
    }
    if (read === undefined) return;
    const { isClosed, summary, lastEventTime } = read;
    const closeTime = isClosed ? (run.closeTime ?? lastEventTime) : undefined;
    // Keeps no summary of an open run, because the summary may count pending work that the history will never contain.
    if (isClosed && !isOpen) state?.set(run.runId, summary);
    await found.count(isClosed ? 'closed' : 'open', { ...run, closeTime }, summary, true);
  } catch (error) {
    if (isFatal(error)) throw error;
    found.miss(run.isOpen ? 'open' : 'closed', error, run);
  }
}
