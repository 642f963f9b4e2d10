import { useQuery } from '@tanstack/react-query';
import type { Permission } from '@temporal-kms/codec-api';
import { lazy, type ReactNode, Suspense, useCallback } from 'react';
import { Waiting } from '../../ui/page/waiting.tsx';
import { useLastFailure } from '../../ui/use-last-failure.ts';
import { meQuery } from '../api.ts';
import { MeProvider } from '../me.tsx';
import { useServices, useSessionState } from '../services.tsx';
import { ExpiredNotice } from './expired-notice.tsx';
import { FailurePage } from './failure-page.tsx';
import { Frame } from './frame.tsx';
import { SignInPage } from './sign-in-page.tsx';

// Loaded on demand, because few people see this page.
const NoPermissionPage = lazy(async () => ({
  default: (await import('./no-permission-page.tsx')).NoPermissionPage,
}));

/** Shows the application to people who are signed in and have permissions. Tells everyone else how to get access. */
export function SessionGate({ children }: { children: ReactNode }) {
  const state = useSessionState();
  const { session } = useServices();
  switch (state.status) {
    case 'open':
      return <MeProvider me={undefined}>{children}</MeProvider>;
    case 'signed_out':
      return <SignInPage state={state} />;
    default:
      // React mounts the pages again when the key changes, so another person does not see what the previous person
      // loaded.
      return <WithMe key={session.person()}>{children}</WithMe>;
  }
}

const waiting = (
  <Frame>
    <Waiting />
  </Frame>
);

/** Auditors may open the application without permission to read workflows. */
const opensPage = (permission: Permission) => permission === 'metadata' || permission === 'audit';

function WithMe({ children }: { children: ReactNode }) {
  const { api } = useServices();
  const state = useSessionState();
  const asked = useQuery(meQuery(api));
  const { data, refetch } = asked;
  const failure = useLastFailure(asked);
  const retry = useCallback(() => void refetch(), [refetch]);
  if (!data) return failure ? <FailurePage error={failure} onRetry={retry} /> : waiting;
  return (
    <MeProvider me={data}>
      {data.namespaces.some(({ permissions }) => permissions.some(opensPage)) ? (
        children
      ) : (
        <Suspense fallback={waiting}>
          <NoPermissionPage me={data} onRetry={retry} />
        </Suspense>
      )}
      {state.status === 'expired' ? <ExpiredNotice {...state} /> : null}
    </MeProvider>
  );
}
