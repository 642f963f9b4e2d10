import { escapeInvisible } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { RunAddress } from '../../session/server/addresses.ts';
import type { Session } from '../../session/sign-in/session.ts';
import { announce } from '../../ui/live-region.tsx';
import { isOpen, outcomeOf, outcomeText } from '../outcome.ts';
import type { RunSession } from './run-session.ts';

interface Sessions {
  readonly get: (address: RunAddress) => Pick<RunSession, 'store'>;
  /** Keeps the run's session running until the returned function is called. */
  readonly use: (address: RunAddress) => () => void;
}

interface EndNoticesState {
  /** The keys of the runs whose end will be reported. */
  readonly runs: ReadonlySet<string>;
  /** Whether the browser refused the permission when it was last asked. */
  readonly refused: boolean;
}

type SignIn = Pick<Session, 'store' | 'person'>;

type EndNotices = ReturnType<typeof createEndNotices>;

const known = new WeakMap<Sessions, EndNotices>();

/** Returns the notices for one person's run sessions. */
export function endNoticesOf(sessions: Sessions, signIn: SignIn): EndNotices {
  const notices = known.get(sessions) ?? createEndNotices(sessions, signIn);
  known.set(sessions, notices);
  return notices;
}

export const noticeKey = ({ namespace, runId }: RunAddress): string => JSON.stringify([namespace, runId]);

/**
 * Reports the end of runs, even after the user has left their pages. Stops when the person signs out or another person
 * signs in, because that person may not be allowed to read these runs.
 */
function createEndNotices({ get, use }: Sessions, signIn: SignIn) {
  const person = signIn.person();
  const isPersonHere = () => signIn.person() === person && signIn.store.getState().status !== 'signed_out';
  const store = createStore<EndNoticesState>()(() => ({ runs: new Set(), refused: false }));
  const stops = new Map<string, () => void>();

  function remove(address: RunAddress) {
    const key = noticeKey(address);
    stops.get(key)?.();
    stops.delete(key);
    store.setState({ runs: new Set(stops.keys()) });
  }

  function add(address: RunAddress) {
    const key = noticeKey(address);
    if (stops.has(key) || !isPersonHere()) return;
    const { store: run } = get(address);
    const leave = use(address);
    const check = () => {
      const status = run.getState().description?.workflow.status;
      if (status === undefined || isOpen(status)) return;
      remove(address);
      show(address, outcomeText[outcomeOf(status)]);
    };
    const unsubscribe = run.subscribe(check);
    const unsubscribePerson = signIn.store.subscribe(() => {
      if (!isPersonHere()) remove(address);
    });
    stops.set(key, () => {
      unsubscribe();
      unsubscribePerson();
      leave();
    });
    store.setState({ runs: new Set(stops.keys()) });
    // The run may have ended while the permission prompt was open.
    check();
  }

  return {
    store,
    /**
     * Reports the end of the run, if the browser permits it. Call this method from a click handler, because
     * browsers prompt only after a user gesture.
     * @returns whether the browser permits it
     */
    async add(address: RunAddress): Promise<boolean> {
      const refused = (await Notification.requestPermission()) !== 'granted';
      store.setState({ refused });
      if (!refused) add(address);
      return !refused;
    },
    remove,
  };
}

/** Shows a notification without plaintext: other people may see the screen, and the system may keep its notifications. */
function show({ workflowId, runId }: RunAddress, status: string) {
  const title = escapeInvisible(workflowId);
  announce(`${title}: ${status}`);
  try {
    const notification = new Notification(title, { body: status, tag: runId });
    notification.addEventListener('click', () => window.focus());
  } catch {
    // Chrome on Android throws, because it shows notifications only from a service worker.
  }
}
