import { getRouteApi, Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { CircleAlert, CircleCheck, Eye, Lock, RefreshCw, ShieldCheck, Square } from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { useStore } from 'zustand';
import { askToReveal, keepFocus } from '../../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { Countdown } from '../../payloads/reveal/countdown.tsx';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { Forbidden } from '../../session/pages/forbidden.tsx';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { Footer } from '../../ui/page/footer.tsx';
import { EmptyState, Notice } from '../../ui/page/notice.tsx';
import { printQuery } from '../list/filter/visibility-query.ts';
import { viewOf } from '../list/list-view.ts';
import { useResolvedTimes } from '../list/use-workflows.ts';
import { CauseItem } from './cause-group.tsx';
import { type Causes, causesOf, type CausesProgress } from './causes-store.ts';
import styles from './causes.module.css';
import { groupRuns } from './group-runs.ts';
import { useCausesSource } from './use-causes-source.ts';

const route = getRouteApi('/ns/$namespace/causes');

/** The page with the failed runs of a query, grouped by cause. */
export function CausesPage() {
  const { namespace } = route.useParams();
  const { q = '' } = route.useSearch();
  const text = useMemo(() => printQuery(viewOf({ q }).query), [q]);
  const query = useResolvedTimes(namespace, text)(text);
  const causes = causesOf(useCausesSource());
  const { progress, open } = useStore(causes.store);
  const access = useRevealed((state) => accessToCauses(state, namespace).status);
  const away = useRevealed((state) => state.away);
  const of = useMemo(() => ({ namespace, query }), [namespace, query]);
  useEffect(() => {
    document.title = escapeInvisible(`Failures by cause · ${namespace} · temporal-kms`);
  }, [namespace]);
  const own = progress?.namespace === namespace && progress.query === query ? progress : undefined;
  // Messages are requested when they may be shown, and the runs again without them when not.
  const isStale = own === undefined || own.decoded !== (access === 'open');
  useEffect(() => {
    if (isStale && !away) causes.show(of);
  }, [causes, of, isStale, away]);
  useCommands({ 'row.next': () => moveFocus(1), 'row.previous': () => moveFocus(-1) });

  const { groups } = useMemo(() => groupRuns(own?.runs ?? []), [own?.runs]);
  if (own?.failure?.code === 'forbidden') {
    return <Forbidden namespace={namespace} what="failures" onRetry={() => causes.again(of)} />;
  }
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>Failures by cause</h1>
        <span className="t2" role="status">
          {own ? statusText(own, groups.length) : 'Reading failed runs …'}
        </span>
        <span className="spacer" />
        <Access namespace={namespace} />
        {own ? <Actions own={own} causes={causes} onAgain={() => causes.again(of)} /> : null}
      </div>
      <p className={styles['query']}>
        <Link to="/ns/$namespace/workflows" params={{ namespace }} search={q === '' ? {} : { q }}>
          {text === '' ? 'All workflows' : escapeInvisible(text)}
        </Link>
      </p>
      <div className={styles['body']}>
        {own ? <Notes own={own} onAgain={() => causes.again(of)} /> : null}
        <ol className={styles['groups']} aria-label="Causes" aria-busy={own?.status === 'running'}>
          {groups.map((group) => (
            <CauseItem
              key={group.id}
              group={group}
              namespace={namespace}
              open={group.id === open}
              onToggle={() => causes.setOpen(group.id === open ? undefined : group.id)}
            />
          ))}
        </ol>
        {own?.status === 'complete' && groups.length === 0 ? (
          <EmptyState
            icon={<CircleCheck size={16} />}
            title="No failed run matches"
            action={
              <Link
                to="/ns/$namespace/workflows"
                params={{ namespace }}
                search={q === '' ? {} : { q }}
                className={buttonClass()}
              >
                Back to the list
              </Link>
            }
          >
            The page reads runs that failed, timed out or were terminated.
          </EmptyState>
        ) : null}
        {own?.decoded && groups.length > 0 ? (
          <p className={styles['note']}>
            <ShieldCheck size={14} aria-hidden="true" />
            Messages were decrypted on the server, with an audit entry for each run.
          </p>
        ) : null}
      </div>
      <Footer
        hints={[
          { commands: ['row.next', 'row.previous'], text: 'move' },
          { commands: ['go.workflows'], text: 'workflows' },
          { commands: ['help'], text: 'all keys' },
        ]}
      >
        <span>{own ? footerText(own) : null}</span>
      </Footer>
    </>
  );
}

/** Moves the focus from cause to cause. */
function moveFocus(by: 1 | -1): void {
  const buttons = [...document.querySelectorAll<HTMLElement>('[data-cause]')];
  const at = buttons.findIndex((button) => button === document.activeElement);
  buttons[
    at < 0 ? (by > 0 ? 0 : buttons.length - 1) : Math.min(Math.max(at + by, 0), buttons.length - 1)
  ]?.focus();
}

function statusText({ status, runs, total, share }: CausesProgress, causes: number): string {
  const wanted = total === undefined ? undefined : Math.round(total * share);
  const read =
    status === 'complete' || wanted === undefined
      ? plural(runs.length, 'failed run')
      : `${formatCount(runs.length)} of ${plural(Math.max(wanted, runs.length), 'failed run')}`;
  return `${plural(causes, 'cause')} in ${read}`;
}

const footerText = ({ kmsCalls, decoded }: CausesProgress): string =>
  decoded ? plural(kmsCalls, 'Cloud KMS call') : 'Messages are not decrypted';

interface ActionsProps {
  readonly own: CausesProgress;
  readonly causes: Causes;
  readonly onAgain: () => void;
}

function Actions({ own: { status, after }, causes, onAgain }: ActionsProps) {
  if (status === 'running') {
    return (
      <Button onClick={() => causes.stop()}>
        <Square size={10} />
        Stop
      </Button>
    );
  }
  if (status === 'complete') {
    return (
      <Button look="ghost" icon aria-label="Read again" data-tip="Read the runs again" onClick={onAgain}>
        <RefreshCw size={14} />
      </Button>
    );
  }
  return <Button onClick={() => (after === undefined ? onAgain() : causes.resume())}>Continue</Button>;
}

/** Whether messages are shown, and what shows or hides them. */
function Access({ namespace }: { namespace: string }) {
  const reveals = useReveals();
  const access = useRevealed((state) => accessToCauses(state, namespace).status);
  const until = useRevealed((state) => {
    const now = accessToCauses(state, namespace);
    return now.status === 'open' ? now.grant?.until : undefined;
  });
  const name = escapeInvisible(namespace);
  const reveal = () =>
    askToReveal(reveals, {
      choices: [
        { target: { kind: 'causes', namespace }, text: 'Failures', name: `failures of ${name}` },
        {
          target: { kind: 'namespace', namespace },
          text: `All runs of ${name}`,
          name: `all runs of ${name}`,
        },
      ],
    });
  const lock = () => {
    keepFocus();
    reveals.lock(namespace);
  };
  useCommands({ 'payloads.lock': access === 'open' ? lock : undefined });
  if (access === 'refused') {
    return (
      <span className="t2" data-tip={`Ask for the permission decode in ${name}`}>
        Messages are encrypted
      </span>
    );
  }
  if (access === 'locked') {
    return (
      <Button look="crypto" onClick={reveal}>
        <Eye size={14} />
        Reveal messages
      </Button>
    );
  }
  return (
    <>
      {until !== undefined && Number.isFinite(until) ? <Countdown until={until} /> : null}
      <Button look="ghost" {...tip('payloads.lock')} onClick={lock}>
        <Lock size={14} />
        Lock
      </Button>
    </>
  );
}

/** What the groups do not contain, and why. */
function Notes({ own, onAgain }: { own: CausesProgress; onAgain: () => void }) {
  const { failure, total, share, failed, unreadable } = own;
  const locked = Object.values(unreadable).reduce((sum, count) => sum + count, 0);
  return (
    <>
      {failure ? (
        <Notice
          severity="error"
          icon={<CircleAlert size={14} />}
          title={
            failure.code === 'invalid_query'
              ? 'Temporal rejects the query'
              : 'The failed runs could not be read'
          }
          action={<Button onClick={onAgain}>Try again</Button>}
        >
          {failure.message}
        </Notice>
      ) : null}
      {share < 1 && total !== undefined ? (
        <p className={styles['note']}>
          A sample: {plural(total, 'failed run')} match, and the page reads about{' '}
          {formatCount(Math.round(total * share))} of them, chosen by run id from the whole time. The counts
          are those of the sample.
        </p>
      ) : null}
      {failed > 0 ? <p className={styles['note']}>{plural(failed, 'run')} could not be read.</p> : null}
      {locked > 0 ? (
        <p className={styles['note']}>
          {plural(locked, 'failure')} could not be decrypted:{' '}
          {Object.entries(unreadable)
            .map(([reason, count]) => `${formatCount(count)} ${reason}`)
            .join(', ')}
          . Their runs are grouped by type and step.
        </p>
      ) : null}
    </>
  );
}
