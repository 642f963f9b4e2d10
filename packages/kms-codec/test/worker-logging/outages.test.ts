import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MinuteAggregator, OutageLog, outageObserver, type SafeLogEntry } from '../../src/worker-logging.ts';

const MINUTE = 60_000;
const texts = { down: 'database unavailable', up: 'database available again' };

let entries: SafeLogEntry[];
const write = (entry: SafeLogEntry) => void entries.push(entry);
const messages = () => entries.map(({ message }) => message);
beforeEach(() => {
  entries = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe('OutageLog', () => {
  it('logs the first failure of an outage, and its end with its duration and the number of failures', () => {
    const clock = { time: 0 };
    const outage = new OutageLog(write, { ...texts, level: 'ERROR' }, () => clock.time);
    outage.up();
    outage.down({ reason: 'ECONNREFUSED' });
    clock.time = 5_000;
    outage.down({ reason: 'ECONNREFUSED' });
    outage.up();
    outage.up();
    expect(entries).toEqual([
      { level: 'ERROR', message: texts.down, fields: { reason: 'ECONNREFUSED' } },
      { level: 'INFO', message: texts.up, fields: { seconds: 5, failures: 2 } },
    ]);
  });

  it('logs a fault that comes and goes with every call once per minute', () => {
    const clock = { time: 0 };
    const outage = new OutageLog(write, texts, () => clock.time);
    for (let second = 0; second < 90; second += 1) {
      clock.time = second * 1_000;
      outage.down({});
      outage.up();
    }
    expect(messages()).toEqual([texts.down, texts.up, texts.down, texts.up]);
  });
});

const keyIn = (location: string, name = 'k') =>
  `projects/p/locations/${location}/keyRings/r/cryptoKeys/${name}`;
const call = { operation: 'unwrap', milliseconds: 1, requests: 1 } as const;

describe('outageObserver', () => {
  it('logs one outage for all keys of a location, although Cloud KMS answers in another location', () => {
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

  it('logs the first of equal refusals at once, and the number of the others when the minute ends', () => {
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

  it('logs no refusal that an outage explains', () => {
    const observer = outageObserver(write);
    const key = keyIn('us-east1');
    observer.kmsCall?.({ ...call, key, code: 'kms_unavailable' });
    observer.refused?.({ namespace: 'pay', code: 'kms_unavailable', key });
    observer.refused?.({ namespace: 'pay', code: 'data_key_exhausted', key });
    expect(messages()).toEqual(['Cloud KMS unavailable', 'Payload rejected']);
  });

  it('counts refusals of more kinds than it distinguishes in one line', () => {
    const observer = outageObserver(write);
    for (let n = 0; n < 1_500; n += 1) observer.refused?.({ namespace: `ns-${n}`, code: 'malformed' });
    expect(entries).toHaveLength(1_000);
    vi.advanceTimersByTime(MINUTE);
    expect(entries.slice(1_000)).toEqual([
      { level: 'WARN', message: 'Payload rejected', fields: { repeated: 500 } },
    ]);
  });
});

describe('MinuteAggregator', () => {
  it('reports what did not pass when the minute ends, and then begins again', () => {
    const flushed = vi.fn();
    const events = new MinuteAggregator<string>({ kinds: 2, flushed });
    expect(['a', 'a', 'a', 'b'].map((kind, n) => events.pass(kind, `${n}`, 2))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([events.has('a'), events.has('c'), events.hasRoom]).toEqual([true, false, false]);
    vi.advanceTimersByTime(MINUTE);
    expect(flushed.mock.calls).toEqual([[[expect.objectContaining({ first: '0', count: 1 })]]]);
    expect(events.has('a')).toBe(false);
  });
});
