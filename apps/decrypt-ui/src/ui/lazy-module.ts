import { useEffect, useRef, useState } from 'react';
import { announce } from './live-region.tsx';

/** A part of the application that is loaded when it is first needed. */
export interface LazyModule<T> {
  /** Loads the module. After a failure, the next call tries again. */
  readonly load: () => Promise<T>;
  /** Returns the module, or undefined until it has been loaded. */
  readonly loaded: () => T | undefined;
}

export function lazyModule<T>(importModule: () => Promise<T>): LazyModule<T> {
  let loading: Promise<T> | undefined;
  let module: T | undefined;
  return {
    load: () =>
      (loading ??= importModule().then(
        (found) => (module = found),
        (error: unknown) => {
          loading = undefined;
          throw error;
        },
      )),
    loaded: () => module,
  };
}

/**
 * Loads the module when `wanted` is first true. Returns the module, or undefined until it has been loaded.
 *
 * @param onFailure called when loading fails; screen readers are notified in any case
 */
export function useModule<T>(lazy: LazyModule<T>, wanted: boolean, onFailure?: () => void): T | undefined {
  const [, setLoaded] = useState(false);
  const module = lazy.loaded();
  const missing = wanted && module === undefined;
  const failed = useRef(onFailure);
  useEffect(() => {
    failed.current = onFailure;
  });
  useEffect(() => {
    if (!missing) return;
    lazy.load().then(
      () => setLoaded(true),
      () => {
        // The page works without this part.
        announce('The page could not load this part. Try again.');
        failed.current?.();
      },
    );
  }, [missing, lazy]);
  return module;
}
