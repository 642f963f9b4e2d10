import { expect, test } from 'vitest';
import { specWords } from '../../src/schedules/spec-words.ts';

const words = (spec: object) => specWords(spec, (millis) => new Date(millis).toISOString().slice(0, 10));

test.each([
  ['no rule', {}, ['Only when triggered manually']],
  [
    'intervals',
    { interval: [{ interval: '3600s', phase: '600s' }, { interval: '90s' }], jitter: '30s' },
    ['Every 1 h, offset 10 m', 'Every 1 m 30 s', 'Plus a random delay of up to 30 s'],
  ],
  [
    'times of a day',
    {
      structuredCalendar: [
        {
          hour: [{ start: 9, end: 17, step: 8 }],
          minute: [{}],
          second: [{}],
          dayOfWeek: [{ start: 1, end: 5 }],
        },
      ],
      timezoneName: 'Europe/Berlin',
    },
    ['At 09:00 and 17:00 Monday to Friday', 'Time zone Europe/Berlin'],
  ],
  [
    'many times, days and months',
    {
      structuredCalendar: [
        {
          hour: [{ start: 0, end: 23 }],
          minute: [{ start: 0, end: 59, step: 15 }],
          dayOfMonth: [{ start: 1 }, { start: 15 }],
          month: [{ start: 1 }],
          year: [{ start: 2027 }],
          comment: 'x\u202e',
        },
      ],
    },
    [
      'Minute 0–59 in steps of 15 of every hour on day 1 and 15 in January in 2027 (x\\u202e)',
      'Time zone UTC',
    ],
  ],
  [
    'exceptions and limits',
    {
      cronString: ['0 12 * * *'],
      excludeStructuredCalendar: [
        { hour: [{ start: 0, end: 23 }], minute: [{ start: 0, end: 59 }], dayOfWeek: [{}] },
      ],
      startTime: '2026-12-01T00:00:00Z',
      endTime: '2027-01-01T00:00:00Z',
    },
    ['Cron 0 12 * * *', 'Except every minute of every hour on Sunday', 'From 2026-12-01', 'Until 2027-01-01'],
  ],
])('says when a schedule with %s starts runs', (_, spec, expected) => {
  expect(words(spec)).toEqual(expected);
});

test('describes a range of billions of values without listing them', () => {
  const wide = [{ start: 0, end: 2_000_000_000, step: 0 }];
  expect(words({ structuredCalendar: [{ hour: wide, minute: wide, second: wide }] })[0]).toContain(
    '2000000000',
  );
});
