import { escapeInvisible } from '@temporal-kms/codec-api';
import { LogIn, TriangleAlert } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { Mark } from '../../ui/page/brand.tsx';
import { Notice } from '../../ui/page/notice.tsx';
import { StatePage } from '../../ui/page/state-page.tsx';
import { useServices } from '../services.tsx';
import type { SessionState } from '../sign-in/session.ts';
import { Frame } from './frame.tsx';

type SignedOut = Extract<SessionState, { status: 'signed_out' }>;

/** The page for a person who is not signed in. Keeps the address, so that the person returns to it after the sign-in. */
export function SignInPage({ state }: { state: SignedOut }) {
  const { session } = useServices();
  const [leaving, setLeaving] = useState(false);
  const host = hostOf(session.issuer);
  const ended = state.because === 'chosen' || state.because === 'other_tab';

  useEffect(() => {
    document.title = 'Sign in · temporal-kms';
  }, []);

  return (
    <Frame>
      <StatePage
        icon={<Mark />}
        title={ended ? 'You are signed out' : 'Sign in to temporal-kms'}
        actions={
          <Button
            look="primary"
            disabled={leaving}
            onClick={() => {
              setLeaving(true);
              void session.signIn().finally(() => setLeaving(false));
            }}
          >
            <LogIn size={14} />
            {leaving ? 'Opening' : 'Sign in'} with {host}
          </Button>
        }
        note={
          ended
            ? `You may still be signed in with ${host}. If so, this page signs you in again without a password.`
            : 'The token stays in the memory of this page. After a reload, you may have to sign in again.'
        }
      >
        <p>{textOf(state.because)}</p>
        {state.because === 'failed' && state.message !== undefined ? (
          <Notice severity="error" icon={<TriangleAlert size={14} />} title="The last sign-in failed">
            {state.message}
          </Notice>
        ) : null}
      </StatePage>
    </Frame>
  );
}

function textOf(because: SignedOut['because']): string {
  switch (because) {
    case 'chosen':
      return 'This page no longer holds a token, payloads or the names of workflows.';
    case 'other_tab':
      return 'You signed out in another tab. This page no longer holds a token, payloads or the names of workflows.';
    default:
      return 'This page shows the decrypted history of workflows to people whom the codec server permits to see it.';
  }
}

/** Returns the identity provider's host, for display. */
export const hostOf = (issuer: string | undefined) =>
  escapeInvisible(URL.parse(issuer ?? '')?.host ?? 'your identity provider');
