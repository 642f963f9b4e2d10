import { useQuery } from '@tanstack/react-query';
import { Navigate } from '@tanstack/react-router';
import { Unplug } from 'lucide-react';
import { namespacesQuery } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/notice.tsx';
import { useServices } from '../../state/services.tsx';

export function DefaultNamespace() {
  const { api } = useServices();
  const { data, error, refetch } = useQuery(namespacesQuery(api));
  if (data) return <Navigate to="/ns/$namespace/workflows" params={{ namespace: data.default }} replace />;
  if (!error) return null;
  return (
    <Empty
      icon={<Unplug size={16} />}
      title="The namespaces can’t be read"
      action={<Button onClick={() => void refetch()}>Try again</Button>}
    >
      {error.message}
    </Empty>
  );
}
