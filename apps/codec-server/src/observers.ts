import type { Observer } from '@temporal-kms/kms-codec';

/** One observer that tells several, in their order; it hears only what one of them listens to. */
export function observeAll(...observers: readonly Observer[]): Observer {
  return Object.fromEntries(
    events
      .map((event) => [event, tellAll(observers.map((one) => one[event]?.bind(one)))] as const)
      .filter(([, tell]) => tell !== undefined),
  );
}

const events = [
  'kmsCall',
  'kmsRetry',
  'sealed',
  'opened',
  'refused',
  'notEncrypted',
  'dataKeyLookup',
  'dataKeyRotated',
  'dataKeyRefreshFailed',
] as const satisfies readonly (keyof Observer)[];

type Tell = (event: never) => void;

function tellAll(listeners: readonly (Tell | undefined)[]): Tell | undefined {
  const [first, ...others] = listeners.filter((listener) => listener !== undefined);
  if (others.length === 0) return first;
  return (event) => {
    first?.(event);
    for (const other of others) other(event);
  };
}
