import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { escapeInvisible, type Permission } from '@temporal-kms/codec-api';
import { Lock } from 'lucide-react';
import { Button, buttonClass } from '../../ui/controls/button.tsx';
import { StatePage } from '../../ui/page/state-page.tsx';
import { meQuery } from '../api.ts';
import { useMe } from '../me.tsx';
import { useServices } from '../services.tsx';

interface ForbiddenProps {
  readonly namespace: string;
  /** What the person may not read. Default: workflows. */
  readonly what?: string;
  /** The missing permission. */
  readonly permission?: Permission;
  readonly onRetry: () => void;
}

/**
 * The page for status 403: the person may not read what is at this address. Links to the namespaces that the person may
 * read.
 */
export function Forbidden({
  namespace,
  what = 'workflows',
  permission = 'metadata',
  onRetry,
}: ForbiddenProps) {
  const { api, session } = useServices();
  const me = useMe();
  const { refetch } = useQuery({ ...meQuery(api), enabled: false });
  const readable = me.namespaces.filter(({ permissions }) => permissions.includes('metadata'));
  const name = escapeInvisible(namespace);
  return (
    <StatePage
      icon={<Lock size={18} />}
      title={`You may not read ${what} in ${name}`}
      facts={[
        ...(me.name === undefined ? [] : [['Signed in as', escapeInvisible(me.name)] as const]),
        ['Namespace', name],
        ['Needed permission', <code key="needed">{permission}</code>],
      ]}
      actions={
        <>
          {readable.slice(0, 3).map(({ name: other }, index) => (
            <Link
              key={other}
              to="/ns/$namespace/workflows"
              params={{ namespace: other }}
              className={buttonClass({ look: index === 0 ? 'primary' : 'quiet' })}
            >
              Workflows of {escapeInvisible(other)}
            </Link>
          ))}
          <Button
            onClick={() => {
              if (me.name !== undefined) void refetch();
              onRetry();
            }}
          >
            Try again
          </Button>
          {session.issuer === undefined ? null : (
            <Button look="ghost" onClick={() => void session.signOut()}>
              Sign out
            </Button>
          )}
        </>
      }
    >
      <p>
        The policy of the codec server does not allow it. Ask the operator of the server for the permission
        below.
      </p>
    </StatePage>
  );
}
