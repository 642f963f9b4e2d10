import type { Observer } from '@temporal-kms/kms-codec';

/** Every event there is; one that kms-codec adds and nobody lists here is an error of types. */
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

/** One observer that tells several, in their order; it hears only what one of them listens to. */
export function observeAll(...observers: readonly Observer[]): Observer {
  return Object.fromEntries(
    events
      .map((event) => [event, tellAll(observers.map((one) => one[event]?.bind(one)))] as const)
      .filter(([, tell]) => tell !== undefined),
  );
}

type Tell = (event: never) => void;

function tellAll(listeners: readonly (Tell | undefined)[]): Tell | undefined {
  const [first, ...others] = listeners.filter((listener) => listener !== undefined);
  if (others.length === 0) return first;
  return (event) => {
    first?.(event);
    for (const other of others) other(event);
  };
}
