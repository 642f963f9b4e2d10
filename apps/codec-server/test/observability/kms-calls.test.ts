import { describe, expect, it } from 'vitest';
import { watchKms } from '../../src/observability/kms-calls.ts';
import { keptLog } from '../support/stack.ts';

describe('watchKms', () => {
  it('logs that one key is rejected although calls under another key succeed', () => {
    const { log, lines } = keptLog();
    const { observer } = watchKms({ log });
    const call = { operation: 'unwrap', milliseconds: 1, requests: 1 } as const;
    for (let n = 0; n < 3; n += 1) {
      observer.kmsCall?.({ ...call, key: 'a', code: 'permission_denied', message: 'may not' });
      observer.kmsCall?.({ ...call, key: 'b' });
    }
    observer.kmsCall?.({ ...call, key: 'a' });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'Cloud KMS rejects calls', level: 40, key: 'a', code: 'permission_denied', reason: 'may not' },
      { msg: 'Cloud KMS accepts calls again', key: 'a', failures: 3 },
    ]);
  });

  it('logs no event that a caller can cause without limit', () => {
    const { log, lines } = keptLog();
    const { observer } = watchKms({ log });
    observer.refused?.({ namespace: 'payments', code: 'integrity_failed' });
    observer.failureReplaced?.({ namespace: 'payments', code: 'too_large' });
    expect(lines).toEqual([]);
  });
});
