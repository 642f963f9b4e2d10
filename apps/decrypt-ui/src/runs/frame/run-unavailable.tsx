import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { CircleAlert } from 'lucide-react';
import { Forbidden } from '../../session/pages/forbidden.tsx';
import { failureCode, isFinal } from '../../session/server/failure.ts';
import { untilLoaded } from '../../session/server/query-client.ts';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { EmptyState } from '../../ui/page/notice.tsx';
import { useLastFailure } from '../../ui/use-last-failure.ts';
import { useRunsApi } from '../api.ts';
import { descriptionQuery } from '../queries.ts';
import { RunSkeleton } from './run-skeleton.tsx';

const route = getRouteApi('/ns/$namespace/workflows/$workflowId');

/** The page for an address without a run id. Redirects to the latest run. */
export function LatestRun() {
  const api = useRunsApi();
  const { namespace, workflowId } = route.useParams();
  const search = route.useSearch();
  const described = useQuery({
    ...descriptionQuery(api, namespace, workflowId, undefined),
    refetchInterval: untilLoaded,
  });
  const failure = useLastFailure(described, JSON.stringify([namespace, workflowId]));
  const { data, refetch } = described;
  if (data) {
    const params = { namespace, workflowId, runId: data.workflow.runId };
    return (
      <Navigate to="/ns/$namespace/workflows/$workflowId/$runId" params={params} search={search} replace />
    );
  }
  return failure ? (
    <RunUnavailable
      error={failure}
      namespace={namespace}
      workflowId={workflowId}
      onRetry={() => void refetch()}
    />
  ) : (
    <RunSkeleton address={{ namespace, workflowId, runId: '' }} />
  );
}

interface RunUnavailableProps {
  readonly error: Error;
  readonly namespace: string;
  readonly workflowId: string;
  /** The run id in the address, if present. */
  readonly runId?: string;
  readonly onRetry: () => void;
}

/** Explains why a run cannot be shown, and links to alternatives. */
export function RunUnavailable({ error, namespace, workflowId, runId, onRetry }: RunUnavailableProps) {
  if (failureCode(error) === 'forbidden') {
    return <Forbidden namespace={namespace} onRetry={onRetry} />;
  }
  if (failureCode(error) !== 'not_found') {
    return (
      <EmptyState
        page
        icon={<CircleAlert size={16} />}
        title="The run could not be loaded"
        action={<Button onClick={onRetry}>Try again</Button>}
      >
        {error.message} {isFinal(error) ? '' : 'This page tries again every five seconds.'}
      </EmptyState>
    );
  }
  return runId === undefined ? (
    <EmptyState
      page
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
      It never ran in this namespace, or its retention period has passed.
    </EmptyState>
  ) : (
    <EmptyState
      page
      icon={<CircleAlert size={16} />}
      title="This run does not exist"
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
      Temporal has no run <span className="mono">{runId}</span> of{' '}
      <span className="mono">{escapeInvisible(workflowId)}</span>. Its retention period may have passed.
    </EmptyState>
  );
}
