import { escapeInvisible } from '@temporal-kms/codec-api';
import { whyOneGroup } from '@temporal-kms/histories/why';
import { clsx } from 'clsx';
import { ChevronRight } from 'lucide-react';
import { useEffect, useId, useRef, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { formatMoment } from '../../ui/format/time.ts';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { Moment } from '../../ui/text/moment.tsx';
import { OutcomeChip, OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { RunAnchor } from '../run-link.tsx';
import { MessageLine } from './cause-message.tsx';
import styles from './causes.module.css';
import { formatSince, type RunGroup } from './group-runs.ts';

/** Number of runs that an open group lists at first. */
const FIRST_RUNS = 8;
/** Number of runs added per click, so that the browser renders a group of thousands of runs in parts. */
const MORE_RUNS = 100;

interface GroupProps {
  readonly group: RunGroup;
  readonly namespace: string;
  readonly open: boolean;
  readonly onToggle: () => void;
}

/**
 * A group of runs with the same cause. Shows the number of runs and the cause, place and times of their
 * failures, and lists the runs while the group is open.
 */
export function CauseItem({ group, namespace, open, onToggle }: GroupProps) {
  const { parts, runs, first, last, builds, isNew } = group;
  const format = useTimeFormat();
  const id = useId();
  const item = useRef<HTMLLIElement>(null);
  const wasOpen = useRef(open);
  useEffect(() => {
    // If a link from a run opened the group, scrolls to it.
    if (wasOpen.current) item.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const [newest] = runs;
  const isFailing = runs.some(isRunning);
  return (
    <li ref={item} className={styles['group']} data-open={open ? '' : undefined}>
      <div className={styles['line']}>
        <Button
          look="ghost"
          size="small"
          icon
          data-cause={group.id}
          className={styles['twisty']}
          aria-label={nameOf(group)}
          aria-expanded={open}
          aria-controls={id}
          onClick={onToggle}
        >
          <ChevronRight size={12} />
        </Button>
        <span className={styles['count']}>
          {formatCount(runs.length)}
          <span className={styles['unit']}> {runs.length === 1 ? 'run' : 'runs'}</span>
        </span>
        <div className={styles['what']}>
          <p className={styles['message']}>
            <span className={styles['type']}>{escapeInvisible(parts.type)}</span>{' '}
            {newest ? <MessageLine message={newest.message} text={parts.shape} /> : null}
          </p>
          <p className={styles['place']}>{placeOf(group)}</p>
        </div>
        {isNew ? (
          <span className={styles['new']}>
            <OutcomeChip outcome="pending">new since {formatSince(first, format)}</OutcomeChip>
          </span>
        ) : null}
        <Bars group={group} />
        <span className={styles['times']}>
          {isFailing ? <span>still failing</span> : <Moment at={last} />}
          {!isFailing && last - first < 1000 ? null : (
            <span className="t3">since {formatMoment(first, format)}</span>
          )}
        </span>
        <span
          className={styles['builds']}
          data-tip={builds.map(({ name }) => escapeInvisible(name)).join('\n')}
        >
          {builds.length === 0 ? (
            <span className="t3">no build</span>
          ) : (
            <>
              <span className={clsx('ellipsis', styles['build'])}>
                <bdi>{escapeInvisible(builds[0]?.name ?? '')}</bdi>
              </span>
              {builds.length > 1 ? <span className="t3">+{builds.length - 1}</span> : null}
            </>
          )}
        </span>
      </div>
      {open ? <Details id={id} group={group} namespace={namespace} /> : null}
    </li>
  );
}

/** Says which step failed, or that the workflow's own code failed. */
const stepOf = ({ parts: { place } }: RunGroup): string => `in ${place || 'the workflow’s code'}`;

/** Says which step failed, how many runs are still running, and which application frame is innermost. */
const placeOf = (group: RunGroup): string =>
  escapeInvisible([stepOf(group), ...runningOf(group), ...group.parts.frames.slice(0, 1)].join(' · '));

const isRunning = ({ status }: RunGroup['runs'][number]): boolean => status === 'Running';

/**
 * Says how many runs are still running: `3 still running, failing task`. Omits the number if all runs are still
 * running.
 */
function runningOf({ runs }: RunGroup): readonly string[] {
  const running = runs.filter(isRunning).length;
  if (running === 0) return [];
  const text = 'still running, failing task';
  return [running === runs.length ? text : `${formatCount(running)} ${text}`];
}

/** Returns the name of a group's button: `Show 4 runs: CardDeclined in activity charge`. */
const nameOf = (group: RunGroup): string =>
  escapeInvisible(`Show ${plural(group.runs.length, 'run')}: ${group.parts.type} ${stepOf(group)}`);

/** A bar chart of the times at which the runs of a group failed. */
function Bars({ group: { bars } }: Pick<GroupProps, 'group'>) {
  const most = Math.max(...bars);
  return (
    <span
      className={styles['bars']}
      role="img"
      aria-label={`Failure times: peak of ${plural(most, 'run')} in one of ${bars.length} intervals`}
    >
      {bars.map((count, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a bar is identified by its position
        <i key={index} style={{ height: count === 0 ? 0 : `${Math.max((count / most) * 100, 12)}%` }} />
      ))}
    </span>
  );
}

function Details({
  id,
  group: { parts, runs, builds },
  namespace,
}: Pick<GroupProps, 'group' | 'namespace'> & { readonly id: string }) {
  const [listed, setListed] = useState(FIRST_RUNS);
  const more = Math.min(runs.length - listed, MORE_RUNS);
  return (
    <div id={id} className={styles['details']}>
      <section aria-label="Runs">
        <h2 className={styles['subtitle']}>Latest runs</h2>
        <ul>
          {runs.slice(0, listed).map((run) => (
            <li key={run.runId} className={styles['run']}>
              <OutcomeGlyph outcome={outcomeOf(run.status)} />
              <span className="sr-only">{outcomeText[outcomeOf(run.status)]}</span>
              <RunAnchor run={{ namespace, workflowId: run.workflowId, runId: run.runId }}>
                {escapeInvisible(run.workflowId)}
              </RunAnchor>
              <span className="t2">
                <Moment at={run.at} />
              </span>
              <span className={styles['text']}>
                <MessageLine message={run.message} />
              </span>
            </li>
          ))}
        </ul>
        {more > 0 ? (
          <Button
            look="ghost"
            size="small"
            className={styles['more']}
            onClick={() => setListed(listed + more)}
          >
            Show {plural(more, 'more run')}
          </Button>
        ) : null}
      </section>
      <section aria-label="Why these runs are one group">
        <h2 className={styles['subtitle']}>Why one group</h2>
        <ul className={styles['reasons']}>
          {whyOneGroup(parts).map((reason) => (
            <li key={reason}>{escapeInvisible(reason)}</li>
          ))}
        </ul>
        {builds.length > 1 ? (
          <>
            <h2 className={styles['subtitle']}>Builds</h2>
            <ul className={styles['reasons']}>
              {builds.map(({ name, runs: count }) => (
                <li key={name}>
                  {escapeInvisible(name)} <span className="t3">{plural(count, 'run')}</span>
                </li>
              ))}
            </ul>
          </>
        ) : null}
      </section>
    </div>
  );
}
