import { createDecoder, type Payloads } from '../../payloads/decoder.ts';
import type { RunAddress } from '../../session/server/addresses.ts';
import { type FirstRows, viewFirstRows } from './first-rows.ts';
import { createRunSession, decodingOf, type RunSession, type RunSessionOptions } from './run-session.ts';

/** How many milliseconds a run is kept after leaving the screen, so that going back shows it at once. */
const KEEP = 10_000;

interface Entry {
  readonly session: RunSession;
  users: number;
  closing?: ReturnType<typeof setTimeout>;
  /** Ends the loading that began before a page used the run. */
  endPreload?: (() => void) | undefined;
  /** Takes the payloads of the first rows out of view. */
  hideFirst?: () => void;
}

export type RunSessions = ReturnType<typeof createRunSessions>;

/** The sessions of the runs on the screen, by their addresses. */
export function createRunSessions(options: RunSessionOptions) {
  const entries = new Map<string, Entry>();
  function entryOf(address: RunAddress): Entry {
    const key = keyOf(address);
    const known = entries.get(key);
    if (known) return known;
    const made: Entry = { session: createRunSession(address, options), users: 0 };
    entries.set(key, made);
    // A page may read a session and then not be shown.
    made.closing = setTimeout(() => close(key), KEEP);
    return made;
  }

  function close(key: string) {
    const entry = entries.get(key);
    if (!entry || entry.users > 0) return;
    clearTimeout(entry.closing);
    entries.delete(key);
    entry.session.close();
  }

  function use(address: RunAddress): () => void {
    const key = keyOf(address);
    const entry = entryOf(address);
    clearTimeout(entry.closing);
    entry.users += 1;
    entry.session.start();
    entry.endPreload?.();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      entry.users -= 1;
      if (entry.users > 0) return;
      entry.hideFirst?.();
      entry.session.stop();
      entry.closing = setTimeout(() => close(key), KEEP);
    };
  }

  return {
    /** The session of a run. It loads the run while at least one user has started it. */
    get: (address: RunAddress): RunSession => entryOf(address).session,
    /** Starts the session of a run until the returned function is called. */
    use,
    /**
     * Starts the session of a run whose page is not on the screen yet, and requests the payloads of the rows that the
     * page will show first. The session stops if no page uses it within `KEEP`.
     *
     * @param rows undefined for a page that begins elsewhere
     */
    preload(address: RunAddress, rows: FirstRows | undefined) {
      const entry = entryOf(address);
      entry.hideFirst?.();
      if (rows) entry.hideFirst = viewFirstRows(entry.session, rows);
      if (entry.users > 0) return;
      const leave = use(address);
      const timer = setTimeout(leave, KEEP);
      entry.endPreload = () => {
        clearTimeout(timer);
        entry.endPreload = undefined;
        leave();
      };
    },
    /** The payloads of a run, without its history: a list shows some of them. Hold the result while they are shown. */
    payloadsOf(address: RunAddress): Payloads {
      const place: Payloads['place'] = (ref) => ({ run: address, ref });
      return {
        decoder: createDecoder(decodingOf(address, options, place)),
        place,
        ofEvent: () => [],
        target: (refs) => ({ kind: 'payloads', run: address, refs }),
      };
    },
    /** Closes the sessions that nothing uses. */
    closeUnused() {
      for (const key of entries.keys()) close(key);
    },
  };
}

const keyOf = ({ namespace, workflowId, runId }: RunAddress) =>
  JSON.stringify([namespace, workflowId, runId]);
