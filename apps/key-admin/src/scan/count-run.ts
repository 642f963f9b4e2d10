import type { Found } from './found.ts';
import { readRun } from './read-run.ts';
import type { ListedRun, ScanSource } from './source.ts';
import type { ScanState } from './state.ts';

/**
 * Counts the payloads of a run. A closed run is read once: the state keeps what it contains. What cannot be read is missed.
 * @param state undefined: keep nothing
 * @param isFatal whether the caller tries again after an error, which is then thrown
 */
export async function countRun(
  source: Pick<ScanSource, 'describeRun' | 'history'>,
  run: ListedRun,
  state: ScanState | undefined,
  found: Found,
  isFatal: (error: unknown) => boolean = () => false,
): Promise<void> {
  const place = run.isOpen ? 'open' : 'closed';
  const known = run.isOpen ? undefined : state?.get(run.runId);
  if (known !== undefined) return found.count('closed', run, known, false);
  try {
    const read = await readRun(source, run);
    if (read === undefined) return;
    found.count(place, run, read.summary, true);
    // An open run's summary may contain pending work, which its history will not contain.
    if (place === 'closed' && read.isClosed) state?.set(run.runId, read.summary);
  } catch (error) {
    if (isFatal(error)) throw error;
    found.miss(place, error, run);
  }
}
