import type { Observer } from '@temporal-kms/kms-codec';

/** Every event of the observer: an event that kms-codec adds is a type error here. */
const listed: Readonly<Record<keyof Observer, true>> = {
  kmsCall: true,
  kmsRetry: true,
  sealed: true,
  opened: true,
  refused: true,
  notEncrypted: true,
  dataKeyLookup: true,
  dataKeyRotated: true,
  dataKeyRefreshFailed: true,
};
const events = Object.keys(listed).filter((name): name is keyof Observer => name in listed);

/** Returns one observer that calls several in their order; it observes only events that one of them handles. */
export function observeAll(...observers: readonly Observer[]): Observer {
  return Object.fromEntries(
    events
      .map((event) => [event, callAll(observers.map((one) => one[event]?.bind(one)))] as const)
      .filter(([, call]) => call !== undefined),
  );
}

type Listener = (event: never) => void;

function callAll(listeners: readonly (Listener | undefined)[]): Listener | undefined {
  const [first, ...others] = listeners.filter((listener) => listener !== undefined);
  if (others.length === 0) return first;
  return (event) => {
    first?.(event);
    for (const other of others) other(event);
  };
}
