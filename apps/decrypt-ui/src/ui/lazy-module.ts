import { useEffect, useRef, useState } from 'react';
import { announce } from './live-region.tsx';

/** A part of the application that is loaded when it is first needed. */
export interface LazyModule<T> {
  /** Loads the module; after a failure, the next call tries again. */
  readonly load: () => Promise<T>;
  /** The module, once it has been loaded. */
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
 * Returns the module once it has been loaded; it is loaded when `wanted` is true for the first time.
 *
 * @param onFailure called when it could not be loaded; screen readers are notified in any case
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
