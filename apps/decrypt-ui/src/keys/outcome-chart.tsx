import type { NamespaceKeys } from '@temporal-kms/codec-api';
import { ChartColumn, Rows3 } from 'lucide-react';
import { useState } from 'react';
import { reasonText } from '../payloads/reasons.ts';
import { Button } from '../ui/controls/button.tsx';
import { formatCount } from '../ui/format/number.ts';
import { formatHour } from '../ui/format/time.ts';
import { Table } from '../ui/page/table.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { useNow } from '../ui/use-now.ts';
import { chartTones, lastHour, type MinuteBar, minuteBars, reasonsOf } from './key-health.ts';
import styles from './keys.module.css';

const toneTexts = {
  pending: 'can be fixed',
  'timed-out': 'retried',
  failed: 'permanent',
  neutral: 'information',
} as const;

/** The readable and unreadable payloads in each minute of the last hour, as bars or as a table. */
export function OutcomeChart({ keys }: { keys: NamespaceKeys }) {
  const [asTable, setAsTable] = useState(false);
  const now = useNow(true, 10_000);
  const bars = minuteBars(keys, now);
  const { done } = lastHour(keys);
  const totals = chartTones
    .map((tone) => [tone, bars.reduce((sum, bar) => sum + bar.failed[tone], 0)] as const)
    .filter(([, count]) => count > 0);
  return (
    <section className={styles['section']} aria-labelledby="outcome-title">
      <header className={styles['sectionHead']}>
        <h2 id="outcome-title">Last hour</h2>
        <span className={styles['legend']} data-outcome="ok">
          <i /> readable {formatCount(done)}
        </span>
        {totals.map(([tone, count]) => (
          <span key={tone} className={styles['legend']} data-outcome={tone}>
            <i /> unreadable, {toneTexts[tone]} {formatCount(count)}
          </span>
        ))}
        <span className="spacer" />
        <Button look="ghost" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? <ChartColumn size={14} /> : <Rows3 size={14} />}
          {asTable ? 'As bars' : 'As table'}
        </Button>
      </header>
      {asTable ? <Minutes bars={bars} /> : <Bars bars={bars} />}
    </section>
  );
}

const totalOf = ({ done, failed }: MinuteBar) =>
  done + chartTones.reduce((sum, tone) => sum + failed[tone], 0);

/** Minimum height of a count in percent of the chart, so that one failure among thousands is visible. */
const LEAST = 4;

function Bars({ bars }: { bars: readonly MinuteBar[] }) {
  const format = useTimeFormat();
  const most = Math.max(...bars.map(totalOf), 1);
  const height = (count: number) => (count === 0 ? 0 : Math.max((count / most) * 100, LEAST));
  const first = bars[0]?.time ?? 0;
  const last = bars.at(-1)?.time ?? 0;
  return (
    <div
      className={styles['chart']}
      role="img"
      aria-label={`Payloads per minute; maximum in one minute: ${formatCount(most)}`}
    >
      <div className={styles['bars']} aria-hidden="true">
        {bars.map((bar) => (
          <span
            key={bar.time}
            className={styles['bar']}
            data-tip={
              totalOf(bar) === 0 ? undefined : [formatHour(bar.time, format), ...linesOf(bar)].join('\n')
            }
          >
            {chartTones.map((tone) =>
              bar.failed[tone] === 0 ? null : (
                <i key={tone} data-outcome={tone} style={{ height: `${height(bar.failed[tone])}%` }} />
              ),
            )}
            <i data-outcome="ok" style={{ height: `${height(bar.done)}%` }} />
          </span>
        ))}
      </div>
      <div className={styles['axis']} aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part}>{formatHour(first + (last - first) * part, format)}</span>
        ))}
      </div>
    </div>
  );
}

const linesOf = ({ done, reasons }: MinuteBar) => [
  `${formatCount(done)} readable`,
  ...reasonsOf(reasons).map(([code, count]) => `${reasonText(code).title}: ${formatCount(count)}`),
];

function Minutes({ bars }: { bars: readonly MinuteBar[] }) {
  const format = useTimeFormat();
  const shown = bars.filter((bar) => totalOf(bar) > 0).toReversed();
  if (shown.length === 0) return <p className={styles['none']}>No payloads in the last hour.</p>;
  return (
    <Table
      className={styles['table']}
      headingId="outcome-title"
      columns={['Minute', ['Readable', styles['right']], ['Unreadable', styles['rest']]]}
    >
      {shown.map((bar) => (
        <tr key={bar.time}>
          <td>{formatHour(bar.time, format)}</td>
          <td className={styles['right']}>{formatCount(bar.done)}</td>
          <td className="t2">{linesOf(bar).slice(1).join(', ') || '–'}</td>
        </tr>
      ))}
    </Table>
  );
}
