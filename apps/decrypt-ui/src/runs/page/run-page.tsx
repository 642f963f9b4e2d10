import { getRouteApi } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { pendingWork } from '@temporal-kms/histories/events';
import { RevealBar } from '../../payloads/reveal/reveal-bar.tsx';
import { TabPanel, Tabs } from '../../ui/controls/tabs.tsx';
import { SplitView } from '../../ui/page/split-view.tsx';
import { useModule } from '../../ui/lazy-module.ts';
import { SHEET_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { nextPlaintext } from '../events/history.ts';
import { ResetNote } from '../facts/reset-note.tsx';
import { RunFacts } from '../facts/run-facts.tsx';
import type { RunValue } from '../facts/run-values.tsx';
import { useMatches } from '../find/use-matches.ts';
import styles from '../frame/run-page.module.css';
import { RunSkeleton } from '../frame/run-skeleton.tsx';
import { useHistoryView } from '../history/use-history-view.ts';
import { Inspector } from '../inspector/inspector.tsx';
import { useRelationCount } from '../relations/use-relations.ts';
import type { PageTab, WorkflowSearch } from '../run-params.ts';
import { RunProvider, useFind, useRun, useRunSessions } from '../run/run-context.tsx';
import { card, Why } from '../why/why.tsx';
import { HistoryTab } from './history-tab.tsx';
import { HistoryTools } from './history-tools.tsx';
import { memoPayloads } from './memo-payloads.ts';
import { RunFooter } from './run-footer.tsx';
import { RunHeader } from './run-header.tsx';

// These parts of the page are loaded on demand, because most visits view only the history.
const MatchList = lazy(async () => ({ default: (await import('../find/match-list.tsx')).MatchList }));
const NowTab = lazy(async () => ({ default: (await import('../now/now-tab.tsx')).NowTab }));
const PendingTab = lazy(async () => ({ default: (await import('./pending-tab.tsx')).PendingTab }));
const RelationsTab = lazy(async () => ({
  default: (await import('../relations/relations-tab.tsx')).RelationsTab,
}));
const RunUnavailable = lazy(async () => ({
  default: (await import('../frame/run-unavailable.tsx')).RunUnavailable,
}));
const RunValuesPanel = lazy(async () => ({
  default: (await import('../facts/run-values-panel.tsx')).RunValuesPanel,
}));
const DurationsTab = lazy(async () => ({ default: (await import('./durations-tab.tsx')).DurationsTab }));
const MemoTab = lazy(async () => ({ default: (await import('./memo-tab.tsx')).MemoTab }));
const MetadataTab = lazy(async () => ({ default: (await import('./metadata-tab.tsx')).MetadataTab }));

const route = getRouteApi('/ns/$namespace/workflows/$workflowId/$runId');

/** The page of a run. */
export function RunPage() {
  const { namespace, workflowId, runId } = route.useParams();
  const address = { namespace, workflowId, runId };

  useEffect(() => {
    document.title = escapeInvisible(`${workflowId} · ${namespace} · temporal-kms`);
  }, [workflowId, namespace]);
  useModule(card, true);
  const { decoder } = useRunSessions().get(address).payloads;
  const isRefused = useStore(decoder.store, ({ payloads }) =>
    [...payloads.values()].some((state) => state.status === 'failed' && state.forbidden),
  );

  return (
    <>
      <RevealBar run={address} isRefused={isRefused} />
      <RunProvider
        key={JSON.stringify(address)}
        address={address}
        loading={<RunSkeleton address={address} />}
        renderFailed={(error, retry) => (
          <Suspense fallback={<RunSkeleton address={address} />}>
            <RunUnavailable error={error} {...address} onRetry={retry} />
          </Suspense>
        )}
      >
        <Content />
      </RunProvider>
    </>
  );
}

function Content() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (part: Partial<WorkflowSearch>, replace = true) => {
      void navigate({ search: (known) => ({ ...known, ...part }), replace });
    },
    [navigate],
  );
  return <RunContent header={<RunHeader />} search={search} change={change} />;
}

interface RunContentProps {
  readonly header: ReactNode;
  readonly search: WorkflowSearch;
  /** Changes the address. */
  readonly change: (part: Partial<WorkflowSearch>, replace?: boolean) => void;
}

/** The page of a run on the server or in a history file. For a file, omits tabs that only the server can fill. */
export function RunContent({ header, search, change }: RunContentProps) {
  const { address, open, follow, find, description } = useRun();
  const view = useHistoryView(search, change);
  const matches = useMatches(view);
  const { search: searched } = useFind();
  const [shown, setShown] = useState<RunValue>();
  const tab = search.tab ?? 'history';
  const pending = pendingWork(description).length;
  const relations = useRelationCount();
  const memo = memoPayloads(description).length;
  const inspected = tab === 'history' ? view.selectedGroup : undefined;
  // A narrow screen has space for the match list or the sheet, but not for both. While an event is open, the
  // Find commands still jump between matches.
  const sheet = useNarrowerThan(SHEET_BELOW);
  const hasMatches = tab === 'history' && searched !== undefined && (matches.count ?? 0) > 0;
  const listed = hasMatches && !(sheet && inspected);

  const select = (eventId: number) => {
    change({ tab: undefined });
    view.selectEvent(eventId);
  };

  return (
    <>
      {header}
      <RunFacts
        expanded={search.io ?? false}
        onToggle={(clicked) => {
          setShown(clicked);
          change({ io: search.io ? undefined : true });
        }}
        onPlaintext={() => {
          const next = nextPlaintext(follow.history, view.selection.ev);
          if (next !== undefined) select(next);
        }}
      />
      {search.io ? (
        <Suspense>
          <RunValuesPanel shown={shown} onSelect={select} />
        </Suspense>
      ) : null}
      <Why
        onSelect={select}
        path={search.path ?? false}
        onPath={() => change({ path: search.path ? undefined : true })}
      />
      <ResetNote />
      <SplitView
        reserve={
          // Reserves no space for an event that does not exist yet.
          tab === 'history' &&
          (view.selection.ev ?? Infinity) <= description.workflow.historyLength &&
          follow.phase === 'loading'
        }
        side={
          inspected || listed ? (
            <div className={styles['side']}>
              {listed ? (
                <Suspense>
                  <MatchList
                    matches={matches}
                    onClose={() => {
                      find.clear();
                      view.refocus();
                    }}
                  />
                </Suspense>
              ) : null}
              {inspected ? (
                <Inspector
                  group={inspected}
                  view={view}
                  pane={search.pane ?? 'payloads'}
                  onPane={(pane) => change({ pane: pane === 'payloads' ? undefined : pane })}
                />
              ) : null}
            </div>
          ) : null
        }
      >
        <Tabs<PageTab>
          label="Parts of this run"
          value={tab}
          className={styles['tabs']}
          barClassName={styles['bar']}
          items={[
            {
              value: 'history',
              text: 'History',
              count: Math.max(description.workflow.historyLength, follow.history.events.length),
            },
            ...(address.file
              ? []
              : [
                  { value: 'now' as const, text: 'Now' },
                  {
                    value: 'pending' as const,
                    text: 'Pending',
                    count: open ? pending : undefined,
                    pending: true,
                  },
                  {
                    value: 'relations' as const,
                    text: 'Relations',
                    count: relations > 0 ? relations : undefined,
                  },
                ]),
            { value: 'durations', text: 'Durations' },
            { value: 'memo', text: 'Memo', count: memo > 0 ? memo : undefined },
            { value: 'metadata', text: 'Metadata' },
          ]}
          onChange={(next) => change({ tab: next === 'history' ? undefined : next }, false)}
          tools={tab === 'history' ? <HistoryTools view={view} matches={matches} search={search} /> : null}
        >
          <TabPanel value="history" className={styles['panel']}>
            <HistoryTab view={view} matches={matches} search={search} />
          </TabPanel>
          <TabPanel value="now" className={styles['page']}>
            <Suspense>
              <NowTab />
            </Suspense>
          </TabPanel>
          <TabPanel value="pending" className={styles['page']}>
            <Suspense>
              <PendingTab onSelect={select} />
            </Suspense>
          </TabPanel>
          <TabPanel value="relations" className={styles['page']}>
            <Suspense>
              <RelationsTab />
            </Suspense>
          </TabPanel>
          <TabPanel value="durations" className={styles['page']}>
            <Suspense>
              <DurationsTab
                onType={(type) => change({ tab: undefined, type, view: undefined }, false)}
                onSelect={select}
              />
            </Suspense>
          </TabPanel>
          <TabPanel value="memo" className={styles['page']}>
            <Suspense>
              <MemoTab />
            </Suspense>
          </TabPanel>
          <TabPanel value="metadata" className={styles['page']}>
            <Suspense>
              <MetadataTab />
            </Suspense>
          </TabPanel>
        </Tabs>
      </SplitView>
      <RunFooter />
    </>
  );
}
