import { expect, test } from 'vitest';
import { visibilityQuery, withStatuses } from '../../../src/features/workflow-list/search.ts';

test('searches ids and types for a single word, and sends a text with an operator unchanged', () => {
  expect(visibilityQuery('order-1')).toBe(
    'WorkflowId STARTS_WITH "order-1" OR WorkflowType STARTS_WITH "order-1"',
  );
  expect(visibilityQuery('a"b')).toBe('a"b');
  expect(visibilityQuery(' ExecutionStatus = "Failed" ')).toBe('ExecutionStatus = "Failed"');
  expect(withStatuses('', ['Failed'])).toBe('ExecutionStatus IN ("Failed")');
  expect(withStatuses('A OR B', ['Failed', 'Running'])).toBe(
    '(A OR B) AND ExecutionStatus IN ("Failed", "Running")',
  );
});
