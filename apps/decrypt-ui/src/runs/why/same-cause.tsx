import { Link } from '@tanstack/react-router';
import { quoted, type RunCause } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { Layers } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { messageOf } from '../../ui/errors.ts';
import { plural } from '../../ui/format/number.ts';
import { formatHour, formatMoment, type TimeFormat } from '../../ui/format/time.ts';
import { announce } from '../../ui/live-region.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { causesOf } from '../causes/causes-store.ts';
import { groupRuns, type RunGroup } from '../causes/group-runs.ts';
import { openingOf, requestCauses } from '../causes/request-causes.ts';
import { useCausesSource } from '../causes/use-causes-source.ts';
import { useRun } from '../run/run-context.tsx';

/** How many milliseconds before the run's end the search for the same cause begins. */
const BEFORE = 24 * 3_600_000;

type State =
  | { readonly status: 'asked' }
  | { readonly status: 'failed'; readonly text: string }
  | {
      readonly status: 'found';
      readonly group: RunGroup | undefined;
      readonly query: string;
      readonly whole: boolean;
    };

/**
 * How many other runs of the same type failed with the same cause, from a day before this run's end. The server is asked when
 * the button is pressed, because it reads the end of each failed run.
 */
export function SameCause() {
  const source = useCausesSource();
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
    const from = new Date((millisOf(closeTime) ?? Date.now()) - BEFORE).toISOString();
    const query = `WorkflowType = ${quoted(type)} AND CloseTime >= ${quoted(from)}`;
    const runs: RunCause[] = [];
    let whole = false;
    try {
      const request = { ...openingOf(source, namespace), query };
      for await (const frame of requestCauses(source, request, own.signal)) {
        if (frame.type === 'run') runs.push(frame);
        else if (frame.type === 'start') whole = frame.share === 1;
        else if (frame.type === 'end') whole &&= frame.reason === 'complete';
      }
      const group = groupRuns(runs).groups.find((each) => each.runs.some((run) => run.runId === runId));
      setState({ status: 'found', group, query, whole });
      announce(foundText(group, whole, format));
    } catch (error) {
      if (!own.signal.aborted) setState({ status: 'failed', text: messageOf(error) });
    }
  }

  if (state?.status !== 'found') {
    return (
      <Button
        look="ghost"
        size="small"
        data-tip="Count the runs of this type that failed with the same cause since the day before"
        aria-disabled={state?.status === 'asked'}
        onClick={() => void find()}
      >
        <Layers size={14} />
        <span aria-live="polite">
          {state?.status === 'asked' ? 'Counting …' : state ? `Not counted: ${state.text}` : 'Same cause'}
        </span>
      </Button>
    );
  }
  const { group, query, whole } = state;
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
      {foundText(group, whole, format)}
    </Link>
  );
}

/** The link replaces the button that the reader has pressed. */
const takeFocus = (link: HTMLAnchorElement | null) => {
  if (document.activeElement === document.body) link?.focus();
};

function foundText(group: RunGroup | undefined, whole: boolean, format: TimeFormat): string {
  if (group === undefined) return 'The cause of this run could not be read';
  const { runs, first, last } = group;
  if (runs.length === 1) return 'No other run with the same cause';
  const since = (last - first < BEFORE ? formatHour : formatMoment)(first, format);
  return `The same cause in ${whole ? '' : 'at least '}${plural(runs.length - 1, 'other run')} since ${since}`;
}
