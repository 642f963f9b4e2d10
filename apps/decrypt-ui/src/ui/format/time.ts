/** `utc`, `local` for the browser's time zone, or the IANA name of a time zone. */
export type Zone = string;

/** How to format moments. */
export interface TimeFormat {
  readonly zone: Zone;
  readonly clock: '24' | '12';
}

const zoneName = (zone: Zone) => (zone === 'utc' ? 'UTC' : zone === 'local' ? undefined : zone);

/** Returns whether the browser knows a time zone. */
export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: zoneName(zone) }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

/** `Intl.DateTimeFormat` is expensive to create, so each formatter is created once. */
const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(name: string, zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${name} ${zone}`;
  const found = cache.get(key) ?? new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zoneName(zone) });
  cache.set(key, found);
  return found;
}

const hours = {
  '24': { hour: '2-digit', hourCycle: 'h23' },
  '12': { hour: 'numeric', hourCycle: 'h12' },
} as const;

type Precision = 'minute' | 'second' | 'millisecond';

/** Formats the time of day: `13:04:58` or `1:04:58 pm`. */
function timeOfDay(millis: number, { zone, clock }: TimeFormat, precision: Precision): string {
  return formatter(`${clock} ${precision}`, zone, {
    ...hours[clock],
    minute: '2-digit',
    ...(precision === 'minute' ? {} : { second: '2-digit' }),
    ...(precision === 'millisecond' ? { fractionalSecondDigits: 3 } : {}),
  }).format(millis);
}

/** Formats a day: `24 Nov`, with the year if it is not the current year. */
export function formatDay(millis: number, { zone }: Pick<TimeFormat, 'zone'>, now = Date.now()): string {
  const year = formatter('year', zone, { year: 'numeric' });
  const sameYear = year.format(millis) === year.format(now);
  return sameYear
    ? formatter('day', zone, { day: 'numeric', month: 'short' }).format(millis)
    : formatter('day-year', zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(millis);
}

/** Formats a time of day with seconds: `13:04:58`. */
export const formatClock = (millis: number, format: TimeFormat) => timeOfDay(millis, format, 'second');

/** Formats a time of day without seconds: `13:04`. */
export const formatHour = (millis: number, format: TimeFormat) => timeOfDay(millis, format, 'minute');

/** Formats a day and a time: `24 Nov 13:04:58`. */
export const formatMoment = (millis: number, format: TimeFormat, now = Date.now()) =>
  `${formatDay(millis, format, now)} ${formatClock(millis, format)}`;

/** Formats a day and a time with milliseconds: `24 Nov 13:04:58.204`. */
export const formatMomentExact = (millis: number, format: TimeFormat, now = Date.now()) =>
  `${formatDay(millis, format, now)} ${timeOfDay(Math.floor(millis), format, 'millisecond')}`;

/** Returns a time zone's offset from UTC: `UTC`, `UTC+1`, `UTC+5:30`. */
export function zoneLabel(zone: Zone, now = Date.now()): string {
  const parts = formatter('zone', zone, { timeZoneName: 'shortOffset' }).formatToParts(now);
  const offset = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC';
  // If the offset is zero, browsers write GMT, GMT+0 or UTC.
  return offset.replace('GMT', 'UTC').replace(/\+0$/, '');
}

/** Returns the city in a time zone's name: `Berlin` for `Europe/Berlin`. */
export const zoneCity = (zone: Zone) => (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ');

/** Returns how many milliseconds a time zone is ahead of UTC at a moment. */
function offsetAt(millis: number, zone: Zone): number {
  const whole = Math.floor(millis / 1000) * 1000;
  const parts = formatter('parts', zone, {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    ...hours['24'],
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(whole);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((candidate) => candidate.type === type)?.value ?? 0);
  const written = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  );
  return written - whole;
}

/** Formats the local time in a time zone for an input of type `datetime-local`: `2026-11-24T13:04:58.204`. */
export const toWallTime = (millis: number, zone: Zone) =>
  new Date(millis + offsetAt(millis, zone)).toISOString().slice(0, -1);

/** Returns the moment at which clocks in a time zone show `text`, or undefined if `text` is not a date with a time. */
export function fromWallTime(text: string, zone: Zone): number | undefined {
  const written = Date.parse(`${text}Z`);
  if (Number.isNaN(written)) return undefined;
  // Uses the offset at the guessed moment: daylight saving time may change between `written` and the guess.
  const guess = written - offsetAt(written, zone);
  return written - offsetAt(guess, zone);
}

/** Returns the start of the day that contains a moment, in a time zone. */
export const startOfDay = (millis: number, zone: Zone): number =>
  fromWallTime(`${toWallTime(millis, zone).slice(0, 10)}T00:00:00`, zone) ?? millis;
