import { at, durationAt, listAt, millisAt, numberAt, textAt } from '@temporal-kms/histories/events';
import { formatTick } from '../ui/format/duration.ts';

/** Formats a moment, given in milliseconds since 1970. */
type FormatMoment = (millis: number) => string;

/** Returns when a schedule starts runs, in words: a line for each rule, then the conditions that apply to all rules. */
export function specWords(spec: unknown, format: FormatMoment): string[] {
  const every = listAt(spec, 'interval').map((interval) => {
    const phase = durationAt(interval, 'phase') ?? 0;
    const period = `Every ${formatTick(durationAt(interval, 'interval') ?? 0)}`;
    return phase > 0 ? `${period}, offset ${formatTick(phase)}` : period;
  });
  const calendars = listAt(spec, 'structuredCalendar').map((calendar) => capital(calendarWords(calendar)));
  const crons = listAt(spec, 'cronString').map((cron) => `Cron ${String(cron)}`);
  const except = listAt(spec, 'excludeStructuredCalendar').map(
    (calendar) => `Except ${calendarWords(calendar)}`,
  );
  const zone = textAt(spec, 'timezoneName');
  const jitter = durationAt(spec, 'jitter') ?? 0;
  const from = millisAt(spec, 'startTime');
  const to = millisAt(spec, 'endTime');
  const rules = [...calendars, ...every, ...crons];
  return [
    ...(rules.length === 0 ? ['Only when triggered manually'] : rules),
    ...except,
    ...(calendars.length > 0 || zone ? [`Time zone ${zone ?? 'UTC'}`] : []),
    ...(jitter > 0 ? [`Plus a random delay of up to ${formatTick(jitter)}`] : []),
    ...(from === undefined ? [] : [`From ${format(from)}`]),
    ...(to === undefined ? [] : [`Until ${format(to)}`]),
  ];
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Maximum number of times of day to list individually. */
const MAX_TIMES = 6;

const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const months = 'January February March April May June July August September October November December'.split(
  ' ',
);

function calendarWords(calendar: unknown): string {
  const ranges = (field: string) => listAt(calendar, field).map(rangeOf);
  const weekdays = ranges('dayOfWeek');
  const monthDays = ranges('dayOfMonth');
  const inMonths = ranges('month');
  const years = ranges('year');
  const comment = textAt(calendar, 'comment');
  return [
    timeWords(orZero(ranges('hour')), orZero(ranges('minute')), orZero(ranges('second'))),
    covers(weekdays, 0, 6) ? '' : weekdayWords(weekdays),
    covers(monthDays, 1, 31) ? '' : `on day ${listed(monthDays, String)}`,
    covers(inMonths, 1, 12) ? '' : `in ${listed(inMonths, (month) => months[month - 1] ?? String(month))}`,
    years.length === 0 ? '' : `in ${listed(years, String)}`,
    comment === undefined ? '' : `(${comment})`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** Returns the days in words: `on Monday and Friday`, or `Monday to Friday`. */
const weekdayWords = (weekdays: readonly Range[]): string =>
  `${weekdays.some(({ start, end }) => start !== end) ? '' : 'on '}${listed(weekdays, (day) => days[day % 7] ?? String(day), ' to ')}`;

/** Returns the times of day in words: `at 09:00 and 17:30`, or `every minute of hour 9–17` if there are many. */
function timeWords(hour: readonly Range[], minute: readonly Range[], second: readonly Range[]): string {
  const hours = valuesOf(hour);
  const minutes = valuesOf(minute);
  const seconds = valuesOf(second);
  if (hours.length * minutes.length * seconds.length <= MAX_TIMES) {
    const times = hours.flatMap((h) =>
      minutes.flatMap((m) =>
        seconds.map((s) =>
          [h, m, ...(s === 0 ? [] : [s])].map((part) => String(part).padStart(2, '0')).join(':'),
        ),
      ),
    );
    return `at ${anded(times)}`;
  }
  const seconds0 = seconds.length === 1 && seconds[0] === 0;
  return [
    seconds0 ? '' : `second ${listed(second, String)}`,
    covers(minute, 0, 59) ? 'every minute' : `minute ${listed(minute, String)}`,
    covers(hour, 0, 23) ? 'of every hour' : `of hour ${listed(hour, String)}`,
  ]
    .filter((part) => part !== '')
    .join(', ')
    .replace(', of', ' of');
}

/**
 * Returns a range. An end before the start, such as an absent end, means that the range contains only the
 * start. A missing step means 1.
 */
function rangeOf(range: unknown): Range {
  const start = numberAt(range, 'start') ?? 0;
  const end = numberAt(range, 'end') ?? 0;
  return { start, end: Math.max(start, end), step: Math.max(1, numberAt(range, 'step') ?? 1) };
}

/** Maximum number of values of a range. The longest ranges are those of years. */
const MAX_VALUES = 100;

/**
 * Returns the given ranges of hours, minutes or seconds or, if there are none, a range that contains only 0.
 * In contrast, days, months and years without ranges match every value.
 */
const orZero = (ranges: readonly Range[]): readonly Range[] => (ranges.length === 0 ? [rangeOf({})] : ranges);

const valuesOf = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(({ start, end, step }) =>
    Array.from(
      { length: Math.min(Math.floor((end - start) / step) + 1, MAX_VALUES) },
      (_, n) => start + n * step,
    ),
  );

const covers = (ranges: readonly Range[], first: number, last: number): boolean =>
  ranges.length === 0 || ranges.some(({ start, end, step }) => start <= first && end >= last && step === 1);

const listed = (ranges: readonly Range[], name: (value: number) => string, to = '–'): string =>
  anded(
    ranges.map(({ start, end, step }) =>
      start === end
        ? name(start)
        : `${name(start)}${to}${name(end)}${step === 1 ? '' : ` in steps of ${step}`}`,
    ),
  );

const anded = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns the run that a schedule's action started; undefined if the action has no result. */
export function startedRun(execution: unknown) {
  const workflowId = at(execution, 'workflowId');
  const runId = textAt(execution, 'runId');
  return typeof workflowId === 'string' && workflowId !== ''
    ? { workflowId, ...(runId && { runId }) }
    : undefined;
}

/** Returns the last run that a schedule started, when it started, and when the next run will start. */
export function lastAndNext(info: unknown) {
  const last = listAt(info, 'recentActions').at(-1);
  return {
    next: listAt(info, 'futureActionTimes').map((time) => millisAt({ time }, 'time'))[0],
    lastAt: millisAt(last, 'actualTime'),
    run: startedRun(at(last, 'startWorkflowResult')),
  };
}
