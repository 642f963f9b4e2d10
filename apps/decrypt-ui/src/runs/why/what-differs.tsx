import { Link } from '@tanstack/react-router';
import { quoted } from '@temporal-kms/codec-api';
import { Diff } from 'lucide-react';
import { buttonClass } from '../../ui/controls/button.tsx';
import { differsOf } from '../run-params.ts';
import { useRun } from '../run/run-context.tsx';

/** The comparison of failed and completed runs of the run's type. */
export function WhatDiffers() {
  const { address, description } = useRun();
  if (address.file) return null;
  const { type, status } = description.workflow;
  const of = (which: string) => `WorkflowType = ${quoted(type)} AND ExecutionStatus = ${quoted(which)}`;
  return (
    <Link
      {...differsOf(address.namespace, of(status), of('Completed'))}
      className={buttonClass({ look: 'ghost', size: 'small' })}
      data-tip="What differs from completed runs of this type"
    >
      <Diff size={14} />
      What differs
    </Link>
  );
}
