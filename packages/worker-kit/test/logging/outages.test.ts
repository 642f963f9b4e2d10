import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { outageObserver, type SafeLogEntry } from '../../src/logging.ts';

const MINUTE = 60_000;

let entries: SafeLogEntry[];
const write = (entry: SafeLogEntry) => void entries.push(entry);
const messages = () => entries.map(({ message }) => message);
beforeEach(() => {
  entries = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const keyIn = (location: string, name = 'k') =>
  `projects/p/locations/${location}/keyRings/r/cryptoKeys/${name}`;
const call = { operation: 'unwrap', milliseconds: 1, requests: 1 } as const;

describe('outageObserver', () => {
  it('logs one outage for all keys in a location, even while Cloud KMS responds in another location', () => {
    const observer = outageObserver(write);
    for (let n = 0; n < 3; n += 1) {
      observer.kmsCall?.({ ...call, key: keyIn('us-east1'), code: 'kms_unavailable', message: 'no answer' });
      observer.kmsCall?.({ ...call, key: keyIn('us-east1', 'other'), code: 'kms_quota', message: 'quota' });
      observer.kmsCall?.({ ...call, key: keyIn('europe-west4') });
    }
    observer.kmsCall?.({ ...call, key: keyIn('us-east1', 'other') });
    expect(entries).toMatchObject([
      {
        level: 'WARN',
        message: 'Cloud KMS unavailable',
        fields: { code: 'kms_unavailable', reason: 'no answer' },
      },
      { level: 'INFO', message: 'Cloud KMS available again', fields: { failures: 6 } },
    ]);
  });

  it('logs the first of equal refusals immediately, and the number of repetitions at the end of the minute', () => {
    const observer = outageObserver(write);
    const refusal = { namespace: 'pay', code: 'integrity_failed' } as const;
    for (let n = 0; n < 500; n += 1) observer.refused?.(refusal);
    expect(entries).toEqual([{ level: 'WARN', message: 'Payload rejected', fields: refusal }]);
    vi.advanceTimersByTime(MINUTE);
    expect(entries[1]).toEqual({
      level: 'WARN',
      message: 'Payload rejected',
      fields: { ...refusal, repeated: 499 },
    });
    observer.refused?.(refusal);
    vi.advanceTimersByTime(MINUTE);
    expect(entries).toHaveLength(3);
  });

  it('does not log refusals that are caused by a logged outage', () => {
    const observer = outageObserver(write);
    const key = keyIn('us-east1');
    observer.kmsCall?.({ ...call, key, code: 'kms_unavailable' });
    observer.refused?.({ namespace: 'pay', code: 'kms_unavailable', key });
    observer.refused?.({ namespace: 'pay', code: 'data_key_exhausted', key });
    expect(messages()).toEqual(['Cloud KMS unavailable', 'Payload rejected']);
  });

  it('counts refusals of further kinds in one entry if the limit on the number of kinds is reached', () => {
    const observer = outageObserver(write);
    for (let n = 0; n < 1_500; n += 1) observer.refused?.({ namespace: `ns-${n}`, code: 'malformed' });
    expect(entries).toHaveLength(1_000);
    vi.advanceTimersByTime(MINUTE);
    expect(entries.slice(1_000)).toEqual([
      { level: 'WARN', message: 'Payload rejected', fields: { repeated: 500 } },
    ]);
  });
});
