import { formatAgo } from '../format/duration.ts';
import { formatClock, formatDay, formatMomentExact } from '../format/time.ts';
import { usePreferences, useTimeFormat } from '../preferences/preferences.ts';
import { useNow } from '../use-now.ts';

/** Milliseconds between updates of a relative time, whose smallest unit is a minute. */
const EVERY = 10_000;

/** Shows when something happened: the date and time, or how long ago it was, as the user prefers. */
export function Moment({ at }: { readonly at: number }) {
  const format = useTimeFormat();
  const relative = usePreferences().times === 'relative';
  const now = useNow(relative, EVERY);
  return (
    <time dateTime={new Date(at).toISOString()} data-tip={formatMomentExact(at, format)}>
      {relative ? (
        formatAgo(at, now)
      ) : (
        <>
          <span className="t3">{formatDay(at, format)}</span> {formatClock(at, format)}
        </>
      )}
    </time>
  );
}
