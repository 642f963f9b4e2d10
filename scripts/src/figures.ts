import { readFile } from 'node:fs/promises';

/** Returns the median. For an even count, the median is the higher of the two middle numbers. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** Returns the arithmetic mean. */
export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** Returns `min / median / max` as text. */
export function range(numbers: readonly number[], digits = 0): string {
  return [Math.min(...numbers), median(numbers), Math.max(...numbers)]
    .map((number) => number.toFixed(digits))
    .join(' / ');
}

/** Milliseconds per clock tick in /proc (`getconf CLK_TCK` is 100 on every Linux that Node supports). */
const TICK_MS = 10;

/** Returns the CPU time that all threads of a process have used, in ms. Needs Linux. */
export async function cpuTime(pid: number): Promise<number> {
  // User and system time are fields 14 and 15 of proc(5). The process's name in parentheses before these
  // fields may contain spaces.
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Returns the current and the maximum resident memory of a process, in MiB. Needs Linux. */
export async function residentMemory(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}
