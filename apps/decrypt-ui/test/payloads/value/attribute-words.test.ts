import { describe, expect, it } from 'vitest';
import { attributeName, enumWords } from '../../../src/payloads/value/attribute-words.ts';

describe('attribute words', () => {
  it.each([
    ['RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED', 'Maximum attempts reached'],
    ['TASK_QUEUE_KIND_STICKY', 'Sticky'],
    ['WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR', 'Non deterministic error'],
    ['PAYMENT_DECLINED', undefined],
    ['Failed', undefined],
  ])('replace the enum value %s with %s', (value, words) => {
    expect(enumWords(value)).toBe(words);
  });

  it.each([
    ['retryPolicy.maximumAttempts', 'Maximum attempts'],
    ['startToCloseTimeout', 'Time limit of an attempt'],
    ['workflowIdReusePolicy', 'Workflow id reuse policy'],
    ['searchAttributes.indexedFields', 'Search attributes, indexed fields'],
    ['versions[0].buildId', 'Versions [0], build id'],
  ])('replace the path %s with %s', (path, words) => {
    expect(attributeName(path)).toBe(words);
  });
});
