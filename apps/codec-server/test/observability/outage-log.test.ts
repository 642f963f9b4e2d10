import { describe, expect, it } from 'vitest';
import { watchKms } from '../../src/observability/kms-calls.ts';
import { OutageLog } from '../../src/observability/log.ts';
import { keptLog } from '../support/stack.ts';

const texts = { down: 'database unavailable', up: 'database available again' };
const messages = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).msg);

describe('OutageLog', () => {
  it('logs the first failure of an outage and its end, each once', () => {
    const { log, lines } = keptLog();
    const outage = new OutageLog(log, texts);
    outage.up();
    outage.down({ reason: 'ECONNREFUSED' }, 0);
    outage.down({ reason: 'ECONNREFUSED' }, 1);
    outage.up();
    outage.up();
    expect(messages(lines)).toEqual([texts.down, texts.up]);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, reason: 'ECONNREFUSED' });
  });

  it('logs a fault that comes and goes with every call once per minute', () => {
    const { log, lines } = keptLog();
    const outage = new OutageLog(log, texts);
    for (let second = 0; second < 90; second += 1) {
      outage.down({}, second * 1_000);
      outage.up();
    }
    expect(messages(lines)).toEqual([texts.down, texts.up, texts.down, texts.up]);
  });
});

describe('watchKms', () => {
  it('logs the outage of one key although calls under another key succeed', () => {
    const { log, lines } = keptLog();
    const { observer } = watchKms({ log });
    const call = { operation: 'unwrap', milliseconds: 1, requests: 1 } as const;
    for (let n = 0; n < 3; n += 1) {
      observer.kmsCall?.({ ...call, key: 'a', code: 'permission_denied', message: 'may not' });
      observer.kmsCall?.({ ...call, key: 'b' });
    }
    observer.kmsCall?.({ ...call, key: 'a' });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'Cloud KMS unavailable', key: 'a', code: 'permission_denied', reason: 'may not' },
      { msg: 'Cloud KMS available again', key: 'a' },
    ]);
  });
});
