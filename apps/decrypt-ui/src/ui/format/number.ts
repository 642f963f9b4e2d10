const grouped = new Intl.NumberFormat('en-GB');

export const formatCount = (count: number) => grouped.format(count);

/** Formats a size in decimal units, like the Google Cloud and Temporal consoles: `212 B`, `1.1 KB`, `94 KB`, `3.1 MB`. */
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

/** Formats a count: `1 event`, `12 events`. `many` is the plural of an irregular noun. */
export const plural = (count: number, noun: string, many = `${noun}s`) =>
  `${formatCount(count)} ${count === 1 ? noun : many}`;
