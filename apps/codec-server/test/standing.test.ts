import { expect, test } from 'vitest';
import { watchKms } from '../src/keys/kms-watch.ts';
import { Standing } from '../src/standing.ts';
import { keptLog } from './support/stack.ts';

const words = { fails: 'it fails', works: 'it works again' };
const told = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).msg);

test('tells once that something fails, and once that it works again', () => {
  const { log, lines } = keptLog();
  const standing = new Standing(log, words);
  standing.works();
  standing.fails({ reason: 'ECONNREFUSED' }, 0);
  standing.fails({ reason: 'ECONNREFUSED' }, 1);
  standing.works();
  standing.works();
  expect(told(lines)).toEqual(['it fails', 'it works again']);
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, reason: 'ECONNREFUSED' });
});

test('tells what comes and goes with every call once a minute', () => {
  const { log, lines } = keptLog();
  const standing = new Standing(log, words);
  for (let second = 0; second < 90; second += 1) {
    standing.fails({}, second * 1_000);
    standing.works();
  }
  expect(told(lines)).toEqual(['it fails', 'it works again', 'it fails', 'it works again']);
});

test('what one key is refused does not come and go with what another is served', () => {
  const { log, lines } = keptLog();
  const { observer } = watchKms({ log });
  const call = { operation: 'unwrap', milliseconds: 1, requests: 1 } as const;
  for (let n = 0; n < 3; n += 1) {
    observer.kmsCall?.({ ...call, key: 'a', code: 'permission_denied', message: 'may not' });
    observer.kmsCall?.({ ...call, key: 'b' });
  }
  observer.kmsCall?.({ ...call, key: 'a' });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { msg: 'Cloud KMS does not serve', key: 'a', code: 'permission_denied', reason: 'may not' },
    { msg: 'Cloud KMS serves again', key: 'a' },
  ]);
});
