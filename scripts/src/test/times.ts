import type { FileOutcome, Outcome } from './reports.ts';

const SLOWEST = 20;

const seconds = (value: number): string => `${value.toFixed(0)} s`;

/** Returns a line with a suite's numbers and time. */
export function suiteLine(name: string, { passed, failed, skipped, seconds: time }: Outcome): string {
  return `${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}, ${seconds(time)}`;
}

/** Returns a line for each of the slowest files, slowest first. */
export function timeLines(files: ReadonlyMap<string, FileOutcome>): string[] {
  const sorted = [...files].toSorted(([, a], [, b]) => b.seconds - a.seconds).slice(0, SLOWEST);
  return [
    'The slowest files, without the time before their first test:',
    ...sorted.map(([file, { seconds: time }]) => `${seconds(time).padStart(7)}  ${file}`),
  ];
}
