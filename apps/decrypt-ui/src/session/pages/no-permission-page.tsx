import { escapeInvisible, type Me } from '@temporal-kms/codec-api';
import { Lock } from 'lucide-react';
import { useEffect } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { StatePage } from '../../ui/page/state-page.tsx';
import { useServices } from '../services.tsx';
import { Frame } from './frame.tsx';
import { ProfileMenu } from './profile-menu.tsx';
import { hostOf } from './sign-in-page.tsx';

/** The page for a signed-in person who may read neither workflows nor the audit in any namespace. */
export function NoPermissionPage({ me, onRetry }: { me: Me; onRetry: () => void }) {
  const { session } = useServices();
  const name = escapeInvisible(me.name);
  const request = `Please give ${me.name} (signed in with ${hostOf(session.issuer)}) the metadata permission in a namespace of the codec server.`;

  useEffect(() => {
    document.title = 'No permission · temporal-kms';
  }, []);

  return (
    <Frame end={<ProfileMenu />}>
      <StatePage
        icon={<Lock size={18} />}
        title="You may not read workflows in any namespace"
        facts={[
          ['Signed in as', name],
          ['Needed permission', <code key="needed">metadata</code>],
          ...me.namespaces.map((each) => [escapeInvisible(each.name), each.permissions.join(', ')] as const),
        ]}
        actions={
          <>
            <Button look="primary" onClick={onRetry}>
              Check again
            </Button>
            <CopyButton what="request for the operator" text={() => request} look="quiet" size="normal">
              Copy a request
            </CopyButton>
          </>
        }
      >
        <p>
          Your sign-in is valid, but the policy of the codec server gives you no permission to see workflows.
          Ask the operator of the server.
        </p>
      </StatePage>
    </Frame>
  );
}
