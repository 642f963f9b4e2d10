import { Link } from '@tanstack/react-router';
import { quoted, type RunCause } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { Layers } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { endOf } from '../../search/read-on.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { messageOf } from '../../ui/errors.ts';
import { plural } from '../../ui/format/number.ts';
import type { TimeFormat } from '../../ui/format/time.ts';
import { announce } from '../../ui/live-region.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { causesOf } from '../causes/causes-store.ts';
import { formatSince, groupRuns } from '../causes/group-runs.ts';
import { openingToCauses, requestCauses } from '../causes/request-causes.ts';
import { useRevealSource } from '../../payloads/reveal/use-reveal-source.ts';
import { useRun } from '../run/run-context.tsx';

/** The search covers runs that ended at most this many milliseconds before or after the run. */
const AROUND = 24 * 3_600_000;

/** The result of the search. Contains no messages. */
interface Found {
  readonly status: 'found';
  readonly query: string;
  /** The group of this run; undefined if the server did not read this run. */
  readonly group: { readonly id: string; readonly runs: number; readonly first: number } | undefined;
  /** Whether the server read all failed runs of the query. */
  readonly whole: boolean;
  /** Whether messages were compared too. */
  readonly decoded: boolean;
}

type State = { readonly status: 'asked' } | { readonly status: 'failed'; readonly text: string } | Found;

/**
 * Shows how many other runs of the same type failed with the same cause within a day of this run's end. The
 * page sends the request only when the user presses the button, because the server reads the end of each
 * failed run.
 */
export function SameCause() {
  const source = useRevealSource();
  const format = useTimeFormat();
  const { address, description } = useRun();
  const [state, setState] = useState<State>();
  const abort = useRef<AbortController>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const { namespace, runId } = address;
  const { type, closeTime } = description.workflow;

  async function find() {
    if (state?.status === 'asked') return;
    const own = new AbortController();
    abort.current = own;
    setState({ status: 'asked' });
    const end = millisOf(closeTime) ?? Date.now();
    const [from, to] = [end - AROUND, end + AROUND].map((at) => quoted(new Date(at).toISOString()));
    const query = `WorkflowType = ${quoted(type)} AND CloseTime >= ${from} AND CloseTime <= ${to}`;
    const opening = openingToCauses(source, namespace);
    const runs: RunCause[] = [];
    let share = 1;
    let ended = endOf('error', undefined);
    try {
      for await (const frame of requestCauses(source, { ...opening, query }, own.signal)) {
        if (frame.type === 'run') runs.push(frame);
        else if (frame.type === 'start') share = frame.share;
        else if (frame.type === 'end') ended = endOf(frame.reason, frame.message);
      }
      const group = groupRuns(runs).find((each) => each.runs.some((run) => run.runId === runId));
      if (group === undefined && ended.failure) throw ended.failure;
      const found: Found = {
        status: 'found',
        query,
        group: group && { id: group.id, runs: group.runs.length, first: group.first },
        whole: share === 1 && ended.status === 'complete',
        decoded: opening.decoded,
      };
      setState(found);
      announce(foundText(found, format));
    } catch (error) {
      if (!own.signal.aborted) setState({ status: 'failed', text: messageOf(error) });
    }
  }

  if (state?.status !== 'found') {
    return (
      <Button
        look="ghost"
        size="small"
        data-tip="Count the runs of this type that failed with the same cause, from 24 h before this run ended to 24 h after"
        aria-disabled={state?.status === 'asked'}
        onClick={() => void find()}
      >
        <Layers size={14} />
        <span aria-live="polite">
          {state?.status === 'asked' ? 'Counting…' : state ? `Not counted: ${state.text}` : 'Same cause'}
        </span>
      </Button>
    );
  }
  const { group, query } = state;
  return (
    <Link
      ref={takeFocus}
      to="/ns/$namespace/causes"
      params={{ namespace }}
      search={{ q: query }}
      onClick={() => causesOf(source).setOpen(group?.id)}
      className={buttonClass({ look: 'ghost', size: 'small' })}
    >
      <Layers size={14} />
      {foundText(state, format)}
    </Link>
  );
}

/** Focuses the link, which replaces the button that the user has pressed. */
const takeFocus = (link: HTMLAnchorElement | null) => {
  if (document.activeElement === document.body) link?.focus();
};

function foundText({ group, whole, decoded }: Found, format: TimeFormat): string {
  if (group === undefined)
    return whole
      ? 'The cause of this run could not be read'
      : 'Too many failed runs to find this one. See “Failures by cause”.';
  const { runs, first } = group;
  // Without messages, runs with the same type and step can have different causes.
  const same = decoded ? 'same cause' : 'same type and step';
  if (runs === 1) return `No other run with the ${same}${whole ? '' : ' among those read'}`;
  const others = `${whole ? '' : 'at least '}${plural(runs - 1, 'other run')}`;
  return `${decoded ? 'The same cause' : 'Same type and step'} in ${others} since ${formatSince(first, format)}`;
}
