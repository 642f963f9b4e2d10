/** Returns the median of an odd number of numbers. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** Returns `min / median / max` as text. */
export function range(numbers: readonly number[], digits = 0): string {
  return [Math.min(...numbers), median(numbers), Math.max(...numbers)]
    .map((number) => number.toFixed(digits))
    .join(' / ');
}
