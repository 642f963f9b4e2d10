import { useQuery } from '@tanstack/react-query';
import { Navigate } from '@tanstack/react-router';
import { Unplug } from 'lucide-react';
import { useCallback } from 'react';
import { namespacesQuery } from '../session/api.ts';
import { useMe } from '../session/me.tsx';
import { Unreachable } from '../session/pages/failure-page.tsx';
import { failureCode } from '../session/server/failure.ts';
import { useServices } from '../session/services.tsx';
import { Button } from '../ui/controls/button.tsx';
import { EmptyState } from '../ui/page/notice.tsx';
import { Waiting } from '../ui/page/waiting.tsx';
import { useLastFailure } from '../ui/use-last-failure.ts';

/** The start page: redirects to the workflows of the server's default namespace, or to the audit. */
export function DefaultNamespace() {
  const { api, config } = useServices();
  const { namespaces, readsWorkflows } = useMe();
  const listed = useQuery({ ...namespacesQuery(api), enabled: readsWorkflows });
  const { data, refetch } = listed;
  const failure = useLastFailure(listed);
  const retry = useCallback(() => void refetch(), [refetch]);
  const audited = namespaces.find(({ permissions }) => permissions.includes('audit'))?.name;
  if (!readsWorkflows && audited !== undefined)
    return <Navigate to="/ns/$namespace/audit" params={{ namespace: audited }} replace />;
  if (data) return <Navigate to="/ns/$namespace/workflows" params={{ namespace: data.default }} replace />;
  if (!failure) return <Waiting />;
  if (failureCode(failure) === 'unreachable') return <Unreachable apiUrl={config.apiUrl} onRetry={retry} />;
  return (
    <EmptyState
      page
      icon={<Unplug size={16} />}
      title="The list of namespaces could not be loaded"
      action={<Button onClick={retry}>Try again</Button>}
    >
      {failure.message}
    </EmptyState>
  );
}
