const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const pad = (value: number) => String(value).padStart(2, '0');

/**
 * Formats a duration of at least a minute in its two largest units (`1 m 07 s`, `3 d 4 h`). Omits the second unit if it
 * is zero (`5 d`).
 */
function long(millis: number): string {
  const total = Math.round(millis / SECOND) * SECOND;
  if (total < HOUR)
    return joined(Math.floor(total / MINUTE), 'm', Math.floor((total % MINUTE) / SECOND), 's');
  const wholeMinutes = Math.round(millis / MINUTE) * MINUTE;
  if (wholeMinutes < DAY) {
    return joined(Math.floor(wholeMinutes / HOUR), 'h', Math.floor((wholeMinutes % HOUR) / MINUTE), 'm');
  }
  const days = Math.floor(wholeMinutes / DAY);
  const hours = Math.floor((wholeMinutes % DAY) / HOUR);
  return hours === 0 ? `${days} d` : `${days} d ${hours} h`;
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${pad(small)} ${smallUnit}`;
}

/** Formats a duration with about three digits: `84 ms`, `1.42 s`, `48.2 s`, `1 m 19 s`, `3 d 4 h`. */
export function formatDuration(millis: number): string {
  const value = Math.max(millis, 0);
  if (value < 999.5) return `${Math.round(value)} ms`;
  if (value < 9995) return `${(value / SECOND).toFixed(2)} s`;
  if (value < 59_950) return `${(value / SECOND).toFixed(1)} s`;
  return long(value);
}

/** Formats a duration with about two digits, for lists: `2.1 s`, `38 s`, `2 m 49 s`. */
export function formatDurationShort(millis: number): string {
  const value = Math.max(millis, 0);
  if (value < 999.5) return `${Math.round(value)} ms`;
  if (value < 9950) return `${(value / SECOND).toFixed(1)} s`;
  if (value < 59_500) return `${Math.round(value / SECOND)} s`;
  return long(value);
}

/** Formats a duration that is still growing, rounded down to whole seconds, or to whole minutes from one hour. */
export function formatTicking(millis: number): string {
  if (millis < MINUTE) return `${Math.max(Math.floor(millis / SECOND), 0)} s`;
  const unit = millis < HOUR ? SECOND : MINUTE;
  return long(Math.floor(millis / unit) * unit);
}

/** Formats the time since the start of the run: `0`, `40 ms`, `0.91 s`, `2.48 s`, `46.2 s`, `1 m 37 s`. */
export function formatOffset(millis: number): string {
  if (millis < 0.5) return '0';
  if (millis < 99.5) return `${Math.round(millis)} ms`;
  if (millis < 9995) return `${(millis / SECOND).toFixed(2)} s`;
  return formatDuration(millis);
}

/** Formats the time since the end of a collapsed gap: `+12 ms`, `+4.1 s`. */
export function formatOffsetAfterGap(millis: number): string {
  if (millis < 99.5) return `+${Math.max(Math.round(millis), 0)} ms`;
  return millis < 59_950 ? `+${(millis / SECOND).toFixed(1)} s` : `+${formatDuration(millis)}`;
}

/** Formats a round duration, such as a time limit or a time on the axis: `700 ms`, `46 s`, `2 m`. */
export function formatTick(millis: number): string {
  if (millis < SECOND) return `${Number(millis.toFixed(0))} ms`;
  if (millis < MINUTE) return `${Number((millis / SECOND).toFixed(2))} s`;
  return long(millis);
}

/**
 * Formats how long ago a moment was, in minutes or longer units: `under a minute ago`, `5 m ago`, `2 h 05 m ago`, `3
 * d 4 h ago`.
 */
export function formatAgo(millis: number, now: number): string {
  const passed = Math.floor(Math.abs(now - millis) / MINUTE) * MINUTE;
  const text = passed === 0 ? 'under a minute' : long(passed);
  return now < millis ? `in ${text}` : `${text} ago`;
}
