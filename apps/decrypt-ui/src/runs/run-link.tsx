import { Link, type UseNavigateResult } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import type { MouseEvent, ReactNode } from 'react';
import styles from './run-link.module.css';

interface RunTarget {
  readonly namespace: string;
  readonly workflowId: string;
  /** If absent, the link leads to the latest run. */
  readonly runId?: string;
  /** The event to select. */
  readonly eventId?: number;
}

interface RunAnchorProps {
  readonly run: RunTarget;
  readonly label?: string;
  readonly tabIndex?: number;
  readonly className?: string | undefined;
  readonly 'data-tip'?: string;
  readonly 'data-tip-key'?: string;
  readonly children: ReactNode;
}

/** Prevents a click on a link inside a row from selecting the row. */
const keepRow = (event: MouseEvent) => event.stopPropagation();

/** Opens a link's run. */
export function openRun(navigate: UseNavigateResult<string>, link: RunTarget): void {
  const { namespace, workflowId, runId, eventId } = link;
  if (runId === undefined) {
    void navigate({ to: '/ns/$namespace/workflows/$workflowId', params: { namespace, workflowId } });
    return;
  }
  void navigate({
    to: '/ns/$namespace/workflows/$workflowId/$runId',
    params: { namespace, workflowId, runId },
    search: eventId === undefined ? {} : { ev: eventId },
  });
}

/** A link to a run, to one of its events, or to the latest run of a workflow id. */
export function RunAnchor({ run, label, className, children, ...other }: RunAnchorProps) {
  const { namespace, workflowId, runId, eventId } = run;
  const rest = {
    className: clsx(styles['link'], className),
    'data-tip': escapeInvisible([workflowId, runId].filter(Boolean).join('\n')),
    'aria-label': label,
    onClick: keepRow,
    ...other,
  };
  const search = eventId === undefined ? {} : { ev: eventId };
  return runId === undefined ? (
    <Link to="/ns/$namespace/workflows/$workflowId" params={{ namespace, workflowId }} {...rest}>
      {children}
    </Link>
  ) : (
    <Link
      to="/ns/$namespace/workflows/$workflowId/$runId"
      params={{ namespace, workflowId, runId }}
      search={search}
      {...rest}
    >
      {children}
    </Link>
  );
}
