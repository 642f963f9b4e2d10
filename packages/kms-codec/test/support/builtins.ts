import { syncBuiltinESMExports } from 'node:module';
import { type MockInstance, onTestFinished } from 'vitest';

/**
 * Makes modules that import a built-in function by name call the spy instead, until the test ends.
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
