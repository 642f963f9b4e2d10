import { beforeEach, describe, expect, it } from 'vitest';
import type { SafeLogEntry } from '../src/log-entry.ts';
import { OutageLog } from '../src/outage-log.ts';

const texts = { down: 'database unavailable', up: 'database available again' };

let entries: SafeLogEntry[];
const write = (entry: SafeLogEntry) => void entries.push(entry);
const messages = () => entries.map(({ message }) => message);
beforeEach(() => void (entries = []));

describe('OutageLog', () => {
  it('logs an outage’s first failure, and its end with the duration and the number of failures', () => {
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

  it('logs an intermittent fault at most once per minute', () => {
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
