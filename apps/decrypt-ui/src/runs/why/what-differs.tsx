import { Link } from '@tanstack/react-router';
import { quoted } from '@temporal-kms/codec-api';
import { Diff } from 'lucide-react';
import { buttonClass } from '../../ui/controls/button.tsx';
import { requested } from '../requested.ts';
import { differsOf } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';

const DAY = 86_400_000;

/** A link that compares failed and completed runs of this run's type that started at most a day before this run. */
export function WhatDiffers() {
  const { address, description } = useRun();
  if (address.file) return null;
  const { type, status, startTime } = description.workflow;
  // Without a limit, the newest runs of each set may be from different weeks.
  const from = startTime === undefined ? undefined : new Date(Date.parse(startTime) - DAY).toISOString();
  const since = from === undefined ? '' : ` AND StartTime >= ${quoted(from)}`;
  const of = (which: string) =>
    `WorkflowType = ${quoted(type)} AND ExecutionStatus = ${quoted(which)}${since}`;
  return (
    <Link
      {...differsOf(address.namespace, of(status), of('Completed'))}
      state={requested}
      className={buttonClass({ look: 'ghost', size: 'small' })}
      data-tip="What differs from completed runs of this type"
    >
      <Diff size={14} />
      What differs
    </Link>
  );
}
