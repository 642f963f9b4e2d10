/** UTC, or the time zone of the browser. */
export type Zone = 'utc' | 'local';

const zoneName = (zone: Zone) => (zone === 'utc' ? 'UTC' : undefined);

/** `Intl.DateTimeFormat` is expensive to create, so each formatter is created once. */
const cache = new Map<string, Intl.DateTimeFormat>();

function formatter(name: string, zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${name} ${zone}`;
  const found = cache.get(key) ?? new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zoneName(zone) });
  cache.set(key, found);
  return found;
}

const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;

/** `24 Nov`; with the year if it is not the current one. */
export function formatDay(millis: number, zone: Zone, now = Date.now()): string {
  const year = formatter('year', zone, { year: 'numeric' });
  const sameYear = year.format(millis) === year.format(now);
  return sameYear
    ? formatter('day', zone, { day: 'numeric', month: 'short' }).format(millis)
    : formatter('day-year', zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(millis);
}

/** `13:04:58` */
export const formatClock = (millis: number, zone: Zone) => formatter('clock', zone, clock).format(millis);

/** `13:04` */
export const formatHour = (millis: number, zone: Zone) =>
  formatter('hour', zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(millis);

/** `24 Nov 13:04:58` */
export const formatMoment = (millis: number, zone: Zone, now = Date.now()) =>
  `${formatDay(millis, zone, now)} ${formatClock(millis, zone)}`;

/** `24 Nov 13:04:58.204` */
export const formatMomentExact = (millis: number, zone: Zone, now = Date.now()) =>
  `${formatMoment(millis, zone, now)}.${String(Math.floor(millis) % 1000).padStart(3, '0')}`;

/** `UTC`, or the offset of the browser's time zone: `UTC+1`. */
export function zoneLabel(zone: Zone, now = Date.now()): string {
  if (zone === 'utc') return 'UTC';
  const parts = formatter('zone', zone, { timeZoneName: 'shortOffset' }).formatToParts(now);
  const offset = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  return offset === 'GMT' ? 'Local' : offset.replace('GMT', 'UTC');
}
