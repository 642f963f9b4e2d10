import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Navigate } from '@tanstack/react-router';
import { descriptionQuery } from '../../api/queries.ts';
import { useServices } from '../../state/services.tsx';
import { RunUnavailable } from './run-unavailable.tsx';

const route = getRouteApi('/ns/$namespace/workflows/$workflowId');

/** An address without a run means the latest one; the run's own address is what gets shared. */
export function LatestRun() {
  const { api } = useServices();
  const { namespace, workflowId } = route.useParams();
  const search = route.useSearch();
  const { data, error, refetch } = useQuery(descriptionQuery(api, namespace, workflowId, undefined));
  if (data) {
    const params = { namespace, workflowId, runId: data.workflow.runId };
    return (
      <Navigate to="/ns/$namespace/workflows/$workflowId/$runId" params={params} search={search} replace />
    );
  }
  return error ? (
    <RunUnavailable
      error={error}
      namespace={namespace}
      workflowId={workflowId}
      onRetry={() => void refetch()}
    />
  ) : null;
}
