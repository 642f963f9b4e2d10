import { expect, test } from 'vitest';
import {
  formatAgo,
  formatDuration,
  formatDurationShort,
  formatOffset,
  formatOffsetAfterGap,
  formatTicking,
} from '../../src/ui/format/duration.ts';
import { formatBytes, formatCount } from '../../src/ui/format/number.ts';
import {
  formatClock,
  formatDay,
  formatHour,
  formatMomentExact,
  fromWallTime,
  isZone,
  startOfDay,
  toWallTime,
  zoneLabel,
} from '../../src/ui/format/time.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('formats a duration with three digits or with the two largest units', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [84, '84 ms'],
    [1420, '1.42 s'],
    [48_200, '48.2 s'],
    [59_990, '1 m'],
    [67_000, '1 m 07 s'],
    [79_000, '1 m 19 s'],
    [HOUR, '1 h'],
    [HOUR + 5 * 60_000, '1 h 05 m'],
    [DAY - 1, '1 d'],
    [3 * DAY + 4 * HOUR + 59 * 60_000, '3 d 4 h'],
    [5 * DAY, '5 d'],
  ];
  for (const [millis, text] of cases) expect(formatDuration(millis)).toBe(text);
});

test('rounds durations more coarsely in lists, and rounds durations that still grow down to whole seconds', () => {
  expect([2110, 38_200, 169_000].map(formatDurationShort)).toEqual(['2.1 s', '38 s', '2 m 49 s']);
  expect([900, 41_900, 79_999, 2 * HOUR - 1, 3 * DAY + 4 * HOUR].map(formatTicking)).toEqual([
    '0 s',
    '41 s',
    '1 m 19 s',
    '1 h 59 m',
    '3 d 4 h',
  ]);
});

test('formats the time since the start of a run, and, with a plus sign, the time since a gap', () => {
  expect([0, 40, 910, 2480, 46_200].map(formatOffset)).toEqual(['0', '40 ms', '0.91 s', '2.48 s', '46.2 s']);
  expect([12, 4100, 97_000].map(formatOffsetAfterGap)).toEqual(['+12 ms', '+4.1 s', '+1 m 37 s']);
});

test('formats sizes in decimal units, with one decimal below ten', () => {
  expect([0, 212, 999, 1000, 1100, 9949, 9960, 94_000, 999_600, 3_100_000].map(formatBytes)).toEqual([
    '0 B',
    '212 B',
    '999 B',
    '1.0 KB',
    '1.1 KB',
    '9.9 KB',
    '10 KB',
    '94 KB',
    '1.0 MB',
    '3.1 MB',
  ]);
  expect(formatCount(12_481)).toBe('12,481');
});

const utc = { zone: 'utc', clock: '24' } as const;

test('formats a moment in the chosen time zone, with the year unless it is the current year', () => {
  const millis = Date.parse('2026-11-24T13:04:58.204Z');
  const now = Date.parse('2026-12-01T00:00:00Z');
  expect(formatMomentExact(millis, utc, now)).toBe('24 Nov 13:04:58.204');
  expect(formatClock(millis, utc)).toBe('13:04:58');
  expect(formatDay(millis, utc, Date.parse('2027-01-05T00:00:00Z'))).toBe('24 Nov 2026');
  expect(formatMomentExact(millis, { ...utc, zone: 'Asia/Tokyo' }, now)).toBe('24 Nov 22:04:58.204');
});

test('formats a moment with a 12-hour clock', () => {
  const millis = Date.parse('2026-11-24T13:04:58.204Z');
  const format = { zone: 'utc', clock: '12' } as const;
  expect(formatClock(millis, format)).toBe('1:04:58 pm');
  expect(formatHour(millis, format)).toBe('1:04 pm');
  expect(formatMomentExact(millis, format, millis)).toBe('24 Nov 1:04:58.204 pm');
});

test('formats how long ago a moment was, in minutes or longer units', () => {
  const now = 10 * DAY;
  const cases: [number, string][] = [
    [now - 59_000, 'under a minute ago'],
    [now - 5 * 60_000, '5 m ago'],
    [now - 2 * HOUR - 5 * 60_000, '2 h 05 m ago'],
    [now - 3 * DAY - 4 * HOUR, '3 d 4 h ago'],
    [now + 90_000, 'in 1 m'],
  ];
  for (const [millis, text] of cases) expect(formatAgo(millis, now)).toBe(text);
});

test('names the offset of a time zone', () => {
  const winter = Date.parse('2026-01-15T12:00:00Z');
  const summer = Date.parse('2026-07-15T12:00:00Z');
  expect(zoneLabel('utc', winter)).toBe('UTC');
  expect(zoneLabel('Europe/Berlin', winter)).toBe('UTC+1');
  expect(zoneLabel('Europe/Berlin', summer)).toBe('UTC+2');
  expect(zoneLabel('Asia/Kolkata', winter)).toBe('UTC+5:30');
  expect(isZone('Europe/Berlin')).toBe(true);
  expect(isZone('Mars/Olympus')).toBe(false);
});

test('converts between moments and a time zone’s local time', () => {
  const cases: [string, string, string][] = [
    ['utc', '2026-11-24T13:04:58.204Z', '2026-11-24T13:04:58.204'],
    ['America/New_York', '2026-07-01T03:30:00.000Z', '2026-06-30T23:30:00.000'],
    // Five minutes before and five minutes after clocks change for daylight saving time.
    ['Europe/Berlin', '2026-03-29T00:55:00.000Z', '2026-03-29T01:55:00.000'],
    ['Europe/Berlin', '2026-03-29T01:05:00.000Z', '2026-03-29T03:05:00.000'],
  ];
  for (const [zone, moment, wall] of cases) {
    expect(toWallTime(Date.parse(moment), zone)).toBe(wall);
    expect(fromWallTime(wall, zone)).toBe(Date.parse(moment));
  }
  expect(fromWallTime('', 'utc')).toBeUndefined();
  const evening = Date.parse('2026-06-30T23:30:00Z');
  expect(startOfDay(evening, 'utc')).toBe(Date.parse('2026-06-30T00:00:00Z'));
  expect(startOfDay(evening, 'Asia/Tokyo')).toBe(Date.parse('2026-06-30T15:00:00Z'));
});
