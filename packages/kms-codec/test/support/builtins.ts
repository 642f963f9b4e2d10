import { syncBuiltinESMExports } from 'node:module';
import { type MockInstance, onTestFinished } from 'vitest';

/**
 * Lets modules that import a function of a built-in module by its name call the function's spy, until the test ends.
 * @example
 * seenByImports(vi.spyOn(fs, 'open')).mockRejectedValueOnce(new Error('no'));
 */
export function seenByImports<S extends Pick<MockInstance, 'mockRestore'>>(spy: S): S {
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
  return spy;
}
