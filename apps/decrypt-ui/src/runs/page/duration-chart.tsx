import styles from './durations-tab.module.css';

/**
 * Returns a function that maps a duration to a position from 0 to 1000 on a logarithmic axis for the given
 * durations.
 */
export function durationScale(millis: readonly number[]): (duration: number) => number {
  const [low, high] = [Math.min(...millis), Math.max(...millis)].map((end) => Math.log1p(Math.max(end, 0)));
  return (duration) => {
    if (low === undefined || high === undefined || high <= low) return 500;
    return Math.round(10 + (980 * (Math.log1p(Math.max(duration, 0)) - low)) / (high - low));
  };
}

interface DurationChartProps {
  readonly marks: readonly number[];
  readonly scale: (duration: number) => number;
  /** A duration to highlight. */
  readonly own?: number | undefined;
}

/**
 * A stroke for each duration. Screen readers skip the chart, because its table row contains the median and
 * the longest duration as text.
 */
export function DurationChart({ marks, scale, own }: DurationChartProps) {
  const places = [...new Set(marks.map(scale))];
  return (
    <svg className={styles['chart']} viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">
      <path d={places.map((x) => `M${x} 3V13`).join('')} />
      {own === undefined ? null : <path className={styles['own']} d={`M${scale(own)} 0V16`} />}
    </svg>
  );
}
