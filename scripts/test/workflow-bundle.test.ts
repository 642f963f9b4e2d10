import { expect, it } from 'vitest';
import { withRelativePaths } from '../src/workflow-bundle.ts';

const withMap = (map: object): string =>
  `code();\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;

it('makes paths in a source map relative to the root, and keeps the root’s name inside paths', () => {
  const map = {
    sources: ['/src/node_modules/common/src/time.ts', 'ignored|/src/node_modules/common/src|fs'],
    sourcesContent: ['', 'require("/src/apps/worker/src/workflows/index.ts")'],
  };
  expect(withRelativePaths(withMap(map), '/src')).toBe(
    withMap({
      sources: ['node_modules/common/src/time.ts', 'ignored|node_modules/common/src|fs'],
      sourcesContent: ['', 'require("apps/worker/src/workflows/index.ts")'],
    }),
  );
});
