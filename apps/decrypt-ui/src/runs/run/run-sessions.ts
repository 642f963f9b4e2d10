import { createDecoder, type Payloads } from '../../payloads/decoder.ts';
import type { RunAddress } from '../../session/server/addresses.ts';
import { type FirstRows, viewFirstRows } from './first-rows.ts';
import { createRunSession, decodingOf, type RunSession, type RunSessionOptions } from './run-session.ts';

/** Milliseconds for which a run is kept after it leaves the screen, so that Back shows it immediately. */
const KEEP = 10_000;

interface Entry {
  readonly session: RunSession;
  users: number;
  closing?: ReturnType<typeof setTimeout>;
  /** Ends loading that started before a page used the run. */
  endPreload?: (() => void) | undefined;
  /** Takes the payloads of the first rows out of view. */
  hideFirst?: () => void;
}

export type RunSessions = ReturnType<typeof createRunSessions>;

/** Creates the sessions of the runs on the screen, by address. */
export function createRunSessions(options: RunSessionOptions) {
  const entries = new Map<string, Entry>();
  function entryOf(address: RunAddress): Entry {
    const key = keyOf(address);
    const known = entries.get(key);
    if (known) return known;
    const made: Entry = { session: createRunSession(address, options), users: 0 };
    entries.set(key, made);
    // Closes the session if no page uses it: React may discard a page that has read a session.
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
    /**
     * Returns a run's session. The session loads the run while at least one component has started the
     * session.
     */
    get: (address: RunAddress): RunSession => entryOf(address).session,
    /** Keeps a run's session running until the returned function is called. */
    use,
    /**
     * Starts the session of a run whose page is not on the screen yet, and requests the payloads of the rows
     * that the page will show first. The session stops if no page uses it within `KEEP`.
     *
     * @param rows undefined for a page that does not open at the first row
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
    /**
     * Returns a run's payloads without loading its history, for lists that show some of them. Keep the result
     * for as long as the payloads are shown.
     */
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
