import { useQuery } from '@tanstack/react-query';
import { Link, Navigate } from '@tanstack/react-router';
import { SearchX, TriangleAlert, Unplug } from 'lucide-react';
import { namespacesQuery } from '../../api/queries.ts';
import { Button, buttonClass } from '../../components/button.tsx';
import { EmptyState } from '../../components/notice.tsx';
import { useServices } from '../../state/services.tsx';

/** The start page: leads to the workflows of the server's default namespace. */
export function DefaultNamespace() {
  const { api } = useServices();
  const { data, error, refetch } = useQuery(namespacesQuery(api));
  if (data) return <Navigate to="/ns/$namespace/workflows" params={{ namespace: data.default }} replace />;
  if (!error) return null;
  return (
    <EmptyState
      icon={<Unplug size={16} />}
      title="The list of namespaces could not be loaded"
      action={<Button onClick={() => void refetch()}>Try again</Button>}
    >
      {error.message}
    </EmptyState>
  );
}

/** The page for an address that the application does not have. */
export function NotFound() {
  return (
    <EmptyState
      icon={<SearchX size={16} />}
      title="There is no page at this address"
      action={
        <Link to="/" className={buttonClass()}>
          All workflows
        </Link>
      }
    >
      The address of a run is /ns/NAMESPACE/workflows/WORKFLOW-ID/RUN-ID.
    </EmptyState>
  );
}

/** Shown instead of the application when its configuration is missing: without it, it would call the wrong server. */
export function StartFailure({ message }: { message: string }) {
  return (
    <EmptyState
      icon={<TriangleAlert size={16} />}
      title="The dashboard could not start"
      action={<Button onClick={() => location.reload()}>Reload</Button>}
    >
      {message}
    </EmptyState>
  );
}
