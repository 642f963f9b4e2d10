import { escapeInvisible } from '@temporal-kms/codec-api';
import { Link } from '@tanstack/react-router';
import { CircleAlert } from 'lucide-react';
import { failureCode } from '../../api/failure.ts';
import { Button, buttonClass } from '../../components/button.tsx';
import { Empty } from '../../components/notice.tsx';

interface RunUnavailableProps {
  readonly error: Error;
  readonly namespace: string;
  readonly workflowId: string;
  /** Given when a particular run was asked for. */
  readonly runId?: string;
  readonly onRetry: () => void;
}

export function RunUnavailable({ error, namespace, workflowId, runId, onRetry }: RunUnavailableProps) {
  if (failureCode(error) !== 'not_found') {
    return (
      <Empty
        icon={<CircleAlert size={16} />}
        title="This run can’t be read"
        action={<Button onClick={onRetry}>Try again</Button>}
      >
        {error.message}
      </Empty>
    );
  }
  return runId === undefined ? (
    <Empty
      icon={<CircleAlert size={16} />}
      title={
        <>
          No workflow <span className="mono">{escapeInvisible(workflowId)}</span> in{' '}
          {escapeInvisible(namespace)}
        </>
      }
      action={
        <Link to="/ns/$namespace/workflows" params={{ namespace }} className={buttonClass()}>
          All workflows
        </Link>
      }
    >
      It never ran here, or its retention has passed.
    </Empty>
  ) : (
    <Empty
      icon={<CircleAlert size={16} />}
      title="This run is past its retention, or never was"
      action={
        <Link
          to="/ns/$namespace/workflows/$workflowId"
          params={{ namespace, workflowId }}
          className={buttonClass()}
        >
          Latest run
        </Link>
      }
    >
      Run <span className="mono">{runId}</span> of <span className="mono">{escapeInvisible(workflowId)}</span>
    </Empty>
  );
}
