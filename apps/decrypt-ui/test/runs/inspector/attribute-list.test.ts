import { expect, test } from 'vitest';
import { formatAttribute } from '../../../src/runs/inspector/attribute-list.ts';
import { searchAttributeText } from '../../../src/runs/search-attribute.ts';

test.each([
  ['historySizeBytes', '21153', '21,153'],
  ['startedEventId', '21153', '21153'],
  ['workflowRunTimeout', '10s', '10 s'],
  ['taskQueue.kind', 'TASK_QUEUE_KIND_NORMAL', 'Normal'],
])('shows the attribute %s=%s as %s', (name, value, text) => {
  expect(formatAttribute(name, value, { zone: 'utc', clock: '24' })).toBe(text);
});

test.each([
  [['a', 'b'], 'a, b'],
  ['a', 'a'],
  [3, '3'],
])('shows a search attribute as text', (value, text) => {
  expect(searchAttributeText(value)).toBe(text);
});
