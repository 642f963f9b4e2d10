import { getRouteApi, Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { CircleCheck, Eye, RefreshCw, ShieldCheck } from 'lucide-react';
import { useEffect, useMemo, useRef } from 'react';
import { useStore } from 'zustand';
import { askToReveal } from '../../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../../payloads/reveal/reveals-context.tsx';
import { LockButton } from '../../payloads/reveal/lock-button.tsx';
import { accessToCauses } from '../../payloads/reveal/reveals.ts';
import { Forbidden } from '../../session/pages/forbidden.tsx';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { StopButton } from '../../ui/controls/stop-button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { announce } from '../../ui/live-region.tsx';
import { Footer } from '../../ui/page/footer.tsx';
import { EmptyState } from '../../ui/page/notice.tsx';
import { parseQuery, printQuery } from '../filter/visibility-query.ts';
import { useResolvedTimes } from '../filter/use-resolved-times.ts';
import { CauseItem } from './cause-group.tsx';
import { Notes } from './causes-notes.tsx';
import { type Causes, causesOf, type CausesProgress } from './causes-store.ts';
import styles from './causes.module.css';
import { groupsSoFar } from './group-runs.ts';
import { useRevealSource } from '../../payloads/reveal/use-reveal-source.ts';

const route = getRouteApi('/ns/$namespace/causes');

/** The page that groups the runs of a query by cause: failed runs, and runs whose workflow task keeps failing. */
export function CausesPage() {
  const { namespace } = route.useParams();
  const { q = '' } = route.useSearch();
  const shown = useMemo(() => printQuery(parseQuery(q)), [q]);
  const query = useResolvedTimes(namespace, shown)(shown);
  const causes = causesOf(useRevealSource());
  const { progress, open, isLeft } = useStore(causes.store);
  const access = useRevealed((state) => accessToCauses(state, namespace).status);
  const away = useRevealed((state) => state.away);
  const of = useMemo(() => ({ namespace, query }), [namespace, query]);
  useEffect(() => {
    document.title = escapeInvisible(`Failures by cause · ${namespace} · temporal-kms`);
  }, [namespace]);
  const own = progress?.namespace === namespace && progress.query === query ? progress : undefined;
  // Requests the runs again when the person's access to messages has changed.
  const isStale = own === undefined || own.decoded !== (access === 'open');
  useEffect(() => {
    if ((isStale || isLeft) && !away) causes.show(of);
  }, [causes, of, isStale, isLeft, away]);
  useEffect(() => causes.enter(), [causes]);
  useCommands({ 'row.next': () => moveFocus(1), 'row.previous': () => moveFocus(-1) });

  const { runs, status = 'running' } = own ?? {};
  const groups = useMemo(() => groupsSoFar({ runs: runs ?? [], status }), [runs, status]);
  const text = own ? statusText(own, groups.length) : READING;
  useAnnouncedEnd(status === 'running' ? '' : text);
  if (own?.failure?.code === 'forbidden') {
    return <Forbidden namespace={namespace} what="failures" onRetry={() => causes.again(of)} />;
  }
  return (
    <>
      <div className={styles['head']}>
        <h1 className={styles['title']}>Failures by cause</h1>
        <span className={styles['status']}>{text}</span>
        <span className="spacer" />
        <Access namespace={namespace} />
        {own ? <Actions own={own} causes={causes} onAgain={() => causes.again(of)} /> : null}
      </div>
      <p className={styles['query']}>
        <Link to="/ns/$namespace/workflows" params={{ namespace }} search={q === '' ? {} : { q }}>
          {shown === '' ? 'All workflows' : <span className="mono">{escapeInvisible(shown)}</span>}
        </Link>
      </p>
      <div className={styles['body']}>
        {own ? <Notes own={own} onResume={(given) => causes.resume(given)} /> : null}
        {groups.length > 0 ? (
          <div className={clsx(styles['line'], styles['columns'])} aria-hidden="true">
            <span>Runs</span>
            <span>Cause</span>
            <span>Failure times</span>
            <span>Last failure</span>
            <span>Build</span>
          </div>
        ) : null}
        <ol className={styles['groups']} aria-label="Causes" aria-busy={status === 'running'}>
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
        {own?.status === 'complete' && groups.length === 0 && own.failed === 0 ? (
          <EmptyState
            icon={<CircleCheck size={16} />}
            title="No failure matches"
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
            This page covers runs that failed, timed out or were terminated, and running ones for which
            Temporal reports that their workflow task keeps failing.
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

/** Announces the number of causes to screen readers once all runs have been read. */
function useAnnouncedEnd(text: string): void {
  const before = useRef(text);
  useEffect(() => {
    if (before.current === '' && text !== '') announce(text);
    before.current = text;
  }, [text]);
}

/** Moves the focus to the next or previous cause, even if the focus is on a link in an open group. */
function moveFocus(by: 1 | -1): void {
  const buttons = [...document.querySelectorAll<HTMLElement>('[data-cause]')];
  const group = document.activeElement?.closest('ol > li');
  const at = buttons.findIndex((button) => group?.contains(button));
  buttons[
    at < 0 ? (by > 0 ? 0 : buttons.length - 1) : Math.min(Math.max(at + by, 0), buttons.length - 1)
  ]?.focus();
}

const READING = 'Reading runs…';

function statusText({ status, runs, total, share }: CausesProgress, count: number): string {
  // Before the first run has been read, "0 causes" would be wrong.
  if (total === undefined || (runs.length === 0 && status !== 'complete'))
    return status === 'running' ? READING : '';
  const causes = plural(count, 'cause');
  const read = formatCount(runs.length);
  if (share < 1) return `${causes} in a sample of ${read} of ${plural(total, 'run')}`;
  if (status === 'complete') return `${causes} in ${plural(runs.length, 'run')}`;
  return `${causes} in ${read} of ${plural(Math.max(total, runs.length), 'run')}`;
}

const footerText = ({ kmsCalls, decoded }: CausesProgress): string =>
  decoded ? plural(kmsCalls, 'Cloud KMS call') : 'Messages are not decrypted';

interface ActionsProps {
  readonly own: CausesProgress;
  readonly causes: Causes;
  readonly onAgain: () => void;
}

function Actions({ own: { status }, causes, onAgain }: ActionsProps) {
  if (status === 'running') return <StopButton onClick={() => causes.stop()} />;
  if (status === 'complete') {
    return (
      <Button look="ghost" icon aria-label="Read again" data-tip="Read the runs again" onClick={onAgain}>
        <RefreshCw size={14} />
      </Button>
    );
  }
  // After a failure, the failure notice already has a button to continue.
  return status === 'failed' ? null : <Button onClick={() => causes.resume()}>Continue</Button>;
}

/** Says whether messages are shown, with the button that shows or hides them. */
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
  if (access === 'refused') {
    return (
      <span className="t2" data-tip={`Ask for the decode permission in ${name}`}>
        You may not decrypt messages
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
  return <LockButton namespace={namespace} look="ghost" until={until} />;
}
