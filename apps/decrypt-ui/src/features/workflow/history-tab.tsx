import { Unplug } from 'lucide-react';
import { useState } from 'react';
import { Notice } from '../../components/notice.tsx';
import { useNow } from '../../state/clock.ts';
import { PHONE_BELOW, useNarrowerThan } from '../../state/media.ts';
import { HistoryGrid } from './history-grid.tsx';
import styles from './history-tab.module.css';
import { KmsNotice } from './kms-notice.tsx';
import { Overview } from './overview.tsx';
import { useRun } from './run-context.tsx';
import type { WorkflowSearch } from './search.ts';
import type { HistoryView } from './use-history-view.ts';
import { useWaterfall } from './use-waterfall.ts';

/**
 * Now, rounded up to what moves a bar by half a pixel: a run of three days has nothing to draw anew every second, while
 * its durations still count.
 */
function byPixel(now: number, start: number, width: number): number {
  const step = Math.max((now - start) / Math.max(width, 1) / 2, 1000);
  return start + Math.ceil((now - start) / step) * step;
}

export function HistoryTab({ view, search }: { view: HistoryView; search: WorkflowSearch }) {
  const { open, follow, description } = useRun();
  const now = useNow(open);
  const phone = useNarrowerThan(PHONE_BELOW);
  const [width, setWidth] = useState(0);
  const last = view.activity.times.at(-1) ?? 0;
  // The clocks of Temporal's host and of this one differ; what has happened isn't drawn after now.
  const present = Math.max(now, last);
  const waterfall = useWaterfall({
    activity: view.activity,
    now: open ? byPixel(present, view.activity.times[0] ?? 0, width) : undefined,
    width,
    collapse: view.idle,
    zoom: { from: search.from, to: search.to },
  });
  const expected = description.workflow.historyLength;
  const loaded = follow.history.events.length;
  const loading = follow.phase === 'loading' && loaded < expected;

  return (
    <>
      {follow.failure ? (
        <div className={styles['banner']}>
          <Notice
            outcome={follow.phase === 'failed' ? 'failed' : 'timed-out'}
            icon={<Unplug size={14} />}
            title={
              follow.phase === 'failed' ? 'The history can’t be read further' : 'The history was cut off'
            }
          >
            {follow.failure.message}{' '}
            {follow.phase === 'failed'
              ? ''
              : `It goes on after event ${follow.history.lastDurable} in a moment.`}
          </Notice>
        </div>
      ) : null}
      <KmsNotice />
      {phone || loaded === 0 ? null : (
        <Overview
          view={view}
          now={byPixel(present, view.activity.times[0] ?? 0, 1500)}
          zoom={{ from: search.from, to: search.to }}
          onZoom={(zoom) => view.change(zoom)}
        />
      )}
      <div className={styles['progress']} data-loading={loading ? '' : undefined}>
        {loading ? (
          <i
            role="progressbar"
            aria-label="Events read"
            aria-valuenow={loaded}
            aria-valuemax={expected}
            style={{ width: `${Math.max((100 * loaded) / expected, 2)}%` }}
          />
        ) : null}
      </div>
      <HistoryGrid view={view} waterfall={waterfall} onWaterfallWidth={setWidth} now={present} />
    </>
  );
}
