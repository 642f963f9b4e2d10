import type { CliDeps } from './deps.ts';
import { visible } from './terminal.ts';

/** Prints a command's result on standard output, once, and the command's progress on standard error. */
export interface Output {
  /** Prints the result: `value` with `--json`, otherwise the lines. */
  readonly result: (value: object, lines: () => readonly string[]) => void;
  /**
   * Prints a line of the result before the command ends. With `--json`, prints nothing, because `result` prints
   * everything.
   */
  readonly line: (text: string) => void;
  /** Prints the command's progress on standard error, so that standard output contains only the result. */
  readonly progress: (text: string) => void;
}

export function createOutput(
  { print, printError }: Pick<CliDeps, 'print' | 'printError'>,
  json: boolean,
): Output {
  return {
    result: (value, lines) => print(json ? jsonLines(value) : lines()),
    line: (text) => {
      if (!json) print([text]);
    },
    progress: (text) => printError([text]),
  };
}

/** Returns JSON as lines. Splits at line breaks, which are never inside a JSON string. */
export const jsonLines = (value: object): string[] => JSON.stringify(value, undefined, 2).split('\n');

/** Returns rows as lines, in which each column is as wide as its widest cell. */
export function columns(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(visible));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const DAY = 86_400_000;

const count = (value: number, unit: string): string => `${value} ${unit}${value === 1 ? '' : 's'}`;

/** Returns a duration in days or, below two days, in hours or minutes, rounded. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 2 * DAY) return count(Math.round(milliseconds / DAY), 'day');
  if (milliseconds >= 7_200_000) return count(Math.round(milliseconds / 3_600_000), 'hour');
  if (milliseconds >= 120_000) return count(Math.round(milliseconds / 60_000), 'minute');
  return count(Math.max(0, Math.round(milliseconds / 1000)), 'second');
}

/** Returns a time to the second: `2030-01-31T12:00:00Z`. */
export const timestamp = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, 'Z');

/** Returns lines that show the commands to type. */
export const typeLines = (fix: readonly string[], indent = '  '): string[] =>
  fix.map((line, index) => `${indent}${index === 0 ? 'type: ' : '      '}${line}`);
