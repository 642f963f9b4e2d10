import { reasonClass, type ReasonCode } from '@temporal-kms/codec-api';
import { Lock, RefreshCw, SearchX, Unplug } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import { useDecoder, useFindings } from '../../payloads/payloads-context.tsx';
import { refreshHealth } from '../../session/api.ts';
import { useServices } from '../../session/services.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { Notice } from '../../ui/page/notice.tsx';
import { useCovered } from '../../ui/page/split-view.tsx';
import { PHONE_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { FindBar } from '../find/find-bar.tsx';
import type { MatchJump } from '../find/use-matches.ts';
import { HistoryTable } from '../history/history-table.tsx';
import type { HistoryView } from '../history/use-history-view.ts';
import type { WorkflowSearch } from '../run-params.ts';
import { isLoaded } from '../run/follow-history.ts';
import { useSize } from '../../ui/use-size.ts';
import { useFind, useRun, useRunNow } from '../run/run-context.tsx';
import { hasOverview } from '../timeline/overview-lines.ts';
import { Overview, OverviewSpace } from '../timeline/overview.tsx';
import { useWaterfall } from '../timeline/waterfall.tsx';
import styles from './history-tab.module.css';

interface HistoryTabProps {
  readonly view: HistoryView;
  readonly matches: MatchJump;
  readonly search: WorkflowSearch;
}

/** A history with fewer events than this is probably too short for an overview. */
const SHORT = 40;
/** The free space below and above the banners, in CSS pixels. */
const BANNERS_GAP = 64;

/**
 * The History tab: the overview, the table, and banners about events that are not loaded or payloads that are not
 * decrypted.
 */
export function HistoryTab({ view, matches, search }: HistoryTabProps) {
  const { open: finding } = useFind();
  const { open, follow, description, retryHistory } = useRun();
  const now = useRunNow();
  const phone = useNarrowerThan(PHONE_BELOW);
  const [width, setWidth] = useState(0);
  const covered = useCovered();
  const [banners, { height: bannersHeight }] = useSize();
  const last = view.times.events.at(-1) ?? 0;
  // Temporal's clock and the browser's may differ, but no event may appear in the future.
  const present = open ? Math.max(now, last) : last;
  const waterfall = useWaterfall({
    times: view.times,
    now: open ? present : undefined,
    width,
    collapse: view.idle,
    zoom: { from: search.from, to: search.to },
  });
  const expected = description.workflow.historyLength;
  const loaded = follow.history.events.length;
  const loading = follow.phase === 'loading' && loaded < expected;
  const after = follow.history.lastDurable;
  const { ev } = view.selection;
  const { groups } = follow.history;
  const isLong = useMemo(() => hasOverview(groups, view.tasks), [groups, view.tasks]);
  const missing = ev !== undefined && ev > loaded && isLoaded(follow, expected) ? ev : undefined;

  return (
    <>
      {finding ? <FindBar matches={matches} onLeave={view.refocus} /> : null}
      {phone ? null : loaded === 0 ? (
        expected < SHORT || follow.failure ? null : (
          <OverviewSpace />
        )
      ) : isLong ? (
        <Overview
          times={view.times}
          collapse={view.idle}
          tasks={view.tasks}
          pending={view.pending}
          now={present}
          zoom={{ from: search.from, to: search.to }}
          onZoom={(zoom) => view.change(zoom)}
        />
      ) : null}
      <div className={styles['progress']} data-loading={loading ? '' : undefined}>
        {loading ? (
          <i
            role="progressbar"
            aria-label="Loading events"
            aria-valuenow={loaded}
            aria-valuemax={expected}
            style={{ width: `${Math.max((100 * loaded) / expected, 2)}%` }}
          />
        ) : null}
      </div>
      <HistoryTable
        view={view}
        waterfall={waterfall}
        onWaterfallWidth={setWidth}
        now={present}
        belowRows={bannersHeight && bannersHeight + BANNERS_GAP}
      />
      <div
        ref={banners}
        className={styles['banners']}
        data-empty={loaded === 0 ? '' : undefined}
        style={{ marginBottom: covered }}
      >
        {follow.failure ? (
          <Notice
            severity={follow.phase === 'failed' ? 'error' : 'warning'}
            icon={<Unplug size={14} />}
            title={
              follow.phase === 'failed'
                ? `The ${loaded === 0 ? '' : 'rest of the '}history could not be loaded`
                : 'Reconnecting to the history'
            }
            action={follow.phase === 'failed' ? null : <RetryNow onClick={retryHistory} />}
          >
            {follow.failure.message}{' '}
            {follow.phase === 'failed'
              ? ''
              : `Loading continues automatically${after === 0 ? '' : ` after event ${formatCount(after)}`}.`}
          </Notice>
        ) : null}
        <KmsNotice />
        <RefusalNotice />
        {missing === undefined ? null : (
          <Notice
            severity="warning"
            icon={<SearchX size={14} />}
            title={`This run has no event ${formatCount(missing)}${open ? ' yet' : ''}`}
            action={
              <Button size="small" onClick={view.close}>
                Dismiss
              </Button>
            }
          >
            Its last event is {formatCount(loaded)}.{' '}
            {open
              ? 'The page shows the event as soon as Temporal records it.'
              : 'The link may be to another run.'}
          </Notice>
        )}
      </div>
    </>
  );
}

const RetryNow = ({ onClick }: { readonly onClick: () => void }) => (
  <Button size="small" onClick={onClick}>
    <RefreshCw size={12} />
    Retry now
  </Button>
);

/** A banner about all payloads with a retryable reason. */
function KmsNotice() {
  const { queries } = useServices();
  const decoder = useDecoder();
  const findings = useFindings();
  const waiting = [...findings].filter(
    ([, { reason }]) => reason !== undefined && reasonClass(reason) === 'retryable',
  );
  const failing = waiting.length > 0;

  // Makes the top bar show the new state of Cloud KMS without waiting for the bar's next request.
  useEffect(() => {
    if (!failing) return undefined;
    refreshHealth(queries);
    return () => refreshHealth(queries);
  }, [failing, queries]);

  if (!failing) return null;
  const all = (code: ReasonCode) => waiting.every(([, { reason }]) => reason === code);
  return (
    <Notice
      severity="warning"
      icon={<Unplug size={14} />}
      title={
        all('storage_unavailable')
          ? 'External storage unavailable'
          : all('kms_quota')
            ? 'Cloud KMS quota exceeded'
            : 'Cloud KMS unavailable'
      }
      action={<RetryNow onClick={() => decoder.retry(waiting.map(([ref]) => ref))} />}
    >
      {plural(waiting.length, 'payload')} could not be read.{' '}
      {waiting.some(([ref]) => decoder.repeats(ref)) ? 'The requests are repeated automatically. ' : ''}
      History, sizes and key versions stay available.
    </Notice>
  );
}

/**
 * A banner about the payloads in view whose request failed as a whole, because the person may not decode or
 * the server did not respond.
 */
function RefusalNotice() {
  const decoder = useDecoder();
  const { payloads } = useStore(decoder.store);
  const failed = [...payloads].flatMap(([ref, state]) =>
    state.status === 'failed' ? [{ ref, ...state }] : [],
  );
  const [first] = failed;
  if (!first) return null;
  return (
    <Notice
      severity={first.final ? 'error' : 'warning'}
      icon={<Lock size={14} />}
      title={`${plural(failed.length, 'payload')} ${failed.length === 1 ? 'was' : 'were'} not decoded`}
      action={
        first.forbidden ? null : <RetryNow onClick={() => decoder.retry(failed.map(({ ref }) => ref))} />
      }
    >
      {first.message}{' '}
      {first.forbidden
        ? 'Ask the operator of the codec server.'
        : first.final
          ? ''
          : 'The page repeats the request automatically.'}
    </Notice>
  );
}
