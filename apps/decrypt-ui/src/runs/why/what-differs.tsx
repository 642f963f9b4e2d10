import { Link } from '@tanstack/react-router';
import { quoted } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { Diff } from 'lucide-react';
import { buttonClass } from '../../ui/controls/button.tsx';
import { requested } from '../requested.ts';
import { differsOf } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';

const DAY = 86_400_000;
const at = (millis: number) => quoted(new Date(millis).toISOString());

/**
 * A link that compares runs of this run's type and status with completed runs of this type. All of them
 * started within a day of this run's start.
 */
export function WhatDiffers() {
  const { address, description } = useRun();
  if (address.file) return null;
  const { type, status, startTime } = description.workflow;
  const start = millisOf(startTime);
  // Without these limits, the newest runs of each set may be from different weeks, or from long after this
  // run.
  const around =
    start === undefined ? '' : ` AND StartTime >= ${at(start - DAY)} AND StartTime <= ${at(start + DAY)}`;
  const of = (which: string) =>
    `WorkflowType = ${quoted(type)} AND ExecutionStatus = ${quoted(which)}${around}`;
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
