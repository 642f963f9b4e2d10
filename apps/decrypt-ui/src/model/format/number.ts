const grouped = new Intl.NumberFormat('en-GB');

export const formatCount = (count: number) => grouped.format(count);

/** Decimal units, as Cloud KMS's and Temporal's own pages use them: `212 B`, `1.1 KB`, `94 KB`, `3.1 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB'];
  let value = bytes;
  let unit = 'B';
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 9.95 ? value.toFixed(1) : grouped.format(Math.round(value))} ${unit}`;
}

export const plural = (count: number, one: string, many = `${one}s`) =>
  `${formatCount(count)} ${count === 1 ? one : many}`;
