/** Returns an enum value in words: `MAXIMUM_ATTEMPTS_REACHED` becomes `maximum attempts reached`. */
export const inWords = (value: string): string => value.toLowerCase().replaceAll('_', ' ');

/**
 * Returns who did something, and why: `By ana. Reason: ordered twice.`. Returns undefined if neither is
 * known.
 */
export const byWhom = (by: string | undefined, reason: string | undefined): string | undefined =>
  [by && `By ${by}.`, reason && `Reason: ${reason}.`].filter(Boolean).join(' ') || undefined;

/** Returns a count with its noun: `1 step`, `2 steps`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Returns a duration in its two largest units: `250 ms`, `3.5 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function seconds(millis: number): string {
  if (millis < 1000) return `${Math.round(millis)} ms`;
  if (millis < 60_000) return `${Number((millis / 1000).toFixed(1))} s`;
  const [large, small] = units.find(([unit]) => millis >= unit.millis) ?? minutes;
  const whole = Math.floor(millis / large.millis);
  const rest = Math.floor((millis % large.millis) / small.millis);
  return `${whole} ${large.name}${rest === 0 ? '' : ` ${rest} ${small.name}`}`;
}

const [day, hour, minute, second] = [
  { name: 'd', millis: 86_400_000 },
  { name: 'h', millis: 3_600_000 },
  { name: 'min', millis: 60_000 },
  { name: 's', millis: 1000 },
] as const;
const minutes = [minute, second] as const;
const units = [[day, hour], [hour, minute], minutes] as const;
