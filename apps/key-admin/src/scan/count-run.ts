import type { ScanResults } from './scan-results.ts';
import { readRun } from './read-run.ts';
import type { ListedRun, ScanSource } from '../temporal/scan-source.ts';
import type { ScanState } from './state.ts';

/**
 * Counts the payloads of a run. A closed run is read once: the state keeps what it contains. What cannot be read is missed.
 * The history decides whether the run is open: Temporal's lists follow histories, so they may still list a run as open that has
 * ended. A run that was read as the wrong one of both is read again.
 * @param state undefined: keep nothing
 * @param isFatal whether the caller tries again after an error, which is then thrown
 */
export async function countRun(
  source: Pick<ScanSource, 'describeRun' | 'history'>,
  run: ListedRun,
  state: ScanState | undefined,
  found: ScanResults,
  isFatal: (error: unknown) => boolean = () => false,
): Promise<void> {
  const known = run.isOpen ? undefined : state?.get(run.runId);
  if (known !== undefined) return found.count('closed', run, known, false);
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
    found.count(isClosed ? 'closed' : 'open', { ...run, closeTime }, summary, true);
    // An open run's summary may contain pending work, which its history will not contain.
    if (isClosed && !isOpen) state?.set(run.runId, summary);
  } catch (error) {
    if (isFatal(error)) throw error;
    found.miss(run.isOpen ? 'open' : 'closed', error, run);
  }
}
