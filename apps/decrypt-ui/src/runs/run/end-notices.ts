import { escapeInvisible } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { RunAddress } from '../../session/server/addresses.ts';
import { announce } from '../../ui/live-region.tsx';
import { isOpen, outcomeOf, outcomeText } from '../outcome.ts';
import type { RunSession } from './run-session.ts';

interface Sessions {
  readonly get: (address: RunAddress) => Pick<RunSession, 'store'>;
  /** Loads the run until the returned function is called. */
  readonly use: (address: RunAddress) => () => void;
}

type EndNotices = ReturnType<typeof createEndNotices>;

const known = new WeakMap<Sessions, EndNotices>();

/** The runs of these sessions whose end the browser reports. */
export function endNoticesOf(sessions: Sessions): EndNotices {
  const notices = known.get(sessions) ?? createEndNotices(sessions);
  known.set(sessions, notices);
  return notices;
}

export const noticeKey = ({ namespace, runId }: RunAddress): string => JSON.stringify([namespace, runId]);

/** Reports the end of runs, also after the reader has left their pages. */
function createEndNotices({ get, use }: Sessions) {
  /** The keys of the runs. */
  const store = createStore<{ readonly runs: ReadonlySet<string> }>()(() => ({ runs: new Set() }));
  const stops = new Map<string, () => void>();

  function remove(address: RunAddress) {
    const key = noticeKey(address);
    stops.get(key)?.();
    stops.delete(key);
    store.setState({ runs: new Set(stops.keys()) });
  }

  function add(address: RunAddress) {
    const key = noticeKey(address);
    if (stops.has(key)) return;
    const { store: run } = get(address);
    const leave = use(address);
    const check = () => {
      const status = run.getState().description?.workflow.status;
      if (status === undefined || isOpen(status)) return;
      remove(address);
      show(address, outcomeText[outcomeOf(status)]);
    };
    const unsubscribe = run.subscribe(check);
    stops.set(key, () => {
      unsubscribe();
      leave();
    });
    store.setState({ runs: new Set(stops.keys()) });
    // It may have ended while the reader answered the browser.
    check();
  }

  return {
    store,
    /**
     * Reports the end of the run, if the browser permits it. Call it when the reader asks for it: browsers ask for the
     * permission only then.
     * @returns whether the browser permits it
     */
    async add(address: RunAddress): Promise<boolean> {
      if ((await Notification.requestPermission()) !== 'granted') return false;
      add(address);
      return true;
    },
    remove,
  };
}

/** Contains no plaintext: other people may see the screen, and the system may keep its notifications. */
function show({ workflowId, runId }: RunAddress, status: string) {
  const title = escapeInvisible(workflowId);
  announce(`${title}: ${status}`);
  try {
    const notification = new Notification(title, { body: status, tag: runId });
    notification.addEventListener('click', () => window.focus());
  } catch {
    // Chrome on Android requires a service worker.
  }
}
