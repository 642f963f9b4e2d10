import { expect, it } from 'vitest';
import { createLog } from '../../src/observability/log.ts';

it('escapes invisible characters in a line without changing its JSON value', () => {
  const lines: string[] = [];
  const name = 'a\u202e\u200b\u00a0\u{e0041}\ud800b\n';
  createLog('info', { write: (line) => void lines.push(line) }).info({ name }, `message ${name}`);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[\u0020-\u007e]+\n$/);
  expect(JSON.parse(lines[0]!)).toMatchObject({ name, message: `message ${name}` });
});
