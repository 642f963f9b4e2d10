import { CircleAlert, CloudOff, Lock, ShieldAlert, Unplug, UserX, WifiOff } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { StatePage } from '../../ui/page/state-page.tsx';
import { failureCode } from '../server/failure.ts';
import { findObstacle, type Obstacle } from '../server/obstacle.ts';
import { useServices, useSessionState } from '../services.tsx';
import { Frame } from './frame.tsx';
import { hostOf } from './sign-in-page.tsx';

interface FailurePageProps {
  readonly error: Error;
  readonly onRetry: () => void;
}

/**
 * The page shown if requesting the person's permissions fails, because the codec server is unreachable, does not accept
 * the person, or returns an error.
 */
export function FailurePage({ error, onRetry }: FailurePageProps) {
  const { config } = useServices();
  const code = failureCode(error);
  return (
    <Frame>
      {code === 'unreachable' ? (
        <Unreachable apiUrl={config.apiUrl} onRetry={onRetry} />
      ) : code === 'unauthenticated' ? (
        <NotAccepted message={error.message} onRetry={onRetry} />
      ) : (
        <Failed code={code} message={error.message} onRetry={onRetry} />
      )}
    </Frame>
  );
}

/** The page for status 401: the request had no token, or the server refused the token. */
function NotAccepted({ message, onRetry }: { message: string; onRetry: () => void }) {
  const { session } = useServices();
  const { status } = useSessionState();
  if (status === 'external') {
    return (
      <StatePage
        icon={<Lock size={18} />}
        title="The codec server does not know who you are"
        facts={[['Answer', message]]}
        actions={
          <Button look="primary" onClick={() => location.reload()}>
            Reload the page
          </Button>
        }
      >
        <p>
          The server accepts only people who have signed in, but offers no sign-in to this page. If a proxy in
          front of the server signs people in, a reload leads to the proxy’s sign-in page. Otherwise, the
          operator can add <code>dashboard</code> to the server’s policy file.
        </p>
      </StatePage>
    );
  }
  return (
    <StatePage
      icon={<UserX size={18} />}
      title="The codec server does not accept your sign-in"
      facts={[['Answer', message]]}
      actions={
        <>
          <Button look="primary" onClick={onRetry}>
            Try again
          </Button>
          <Button onClick={() => void session.signIn()}>Sign in again</Button>
          <Button onClick={() => void session.signOut()}>Sign out</Button>
        </>
      }
    >
      <p>
        You signed in with {hostOf(session.issuer)}, but the codec server refuses the token. The operator of
        the server can compare its policy file with the settings of the identity provider.
      </p>
    </StatePage>
  );
}

function Failed({ code, message, onRetry }: { code: string; message: string; onRetry: () => void }) {
  return (
    <StatePage
      icon={<CircleAlert size={18} />}
      title="The codec server could not answer"
      facts={[['Code', <code key="code">{code}</code>]]}
      actions={
        <Button look="primary" onClick={onRetry}>
          Try again
        </Button>
      }
    >
      <p>{message}</p>
    </StatePage>
  );
}

/** Milliseconds between attempts to reach the server. */
const RETRY = 5000;

/**
 * The page shown if a request got no response, or none that the browser lets the page read. Shows the cause, if
 * the page can find it, and repeats the request.
 */
export function Unreachable({ apiUrl, onRetry }: { apiUrl: string; onRetry: () => void }) {
  const [obstacle, setObstacle] = useState<Obstacle>('outage');
  const server = new URL(apiUrl || '/', location.href).origin;

  useEffect(() => {
    const abort = new AbortController();
    const find = async () => {
      const found = await findObstacle(apiUrl, abort.signal);
      if (!abort.signal.aborted) setObstacle(found);
    };
    void find();
    return () => abort.abort();
  }, [apiUrl]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') onRetry();
    }, RETRY);
    return () => clearInterval(timer);
  }, [onRetry]);

  const { icon, title, text, setting } = describe(obstacle, server);
  return (
    <StatePage
      icon={icon}
      title={title}
      facts={[['Codec server', server], ...(setting ? [setting] : [])]}
      actions={
        <Button look="primary" onClick={onRetry}>
          Try again
        </Button>
      }
      note="This page tries again every five seconds."
    >
      <p>{text}</p>
    </StatePage>
  );
}

interface Description {
  readonly icon: ReactNode;
  readonly title: string;
  readonly text: ReactNode;
  readonly setting?: readonly [name: string, value: ReactNode];
}

function describe(obstacle: Obstacle, server: string): Description {
  switch (obstacle) {
    case 'origin':
      return {
        icon: <ShieldAlert size={18} />,
        title: 'The codec server does not allow this page',
        text: (
          <>
            The server answers, but browsers show its answers only to pages of the origins that{' '}
            <code>CODEC_CORS_ORIGINS</code> lists. The operator of the server can add the origin of this page.
          </>
        ),
        setting: ['Add', <code key="add">{location.origin}</code>],
      };
    case 'policy':
      return {
        icon: <ShieldAlert size={18} />,
        title: 'This page may not connect to the codec server',
        text: (
          <>
            The content security policy with which this page is served does not allow the connection. The
            operator of the page can add the server to <code>connect-src</code>.
          </>
        ),
        setting: ['Add', <code key="add">connect-src {server}</code>],
      };
    case 'offline':
      return {
        icon: <WifiOff size={18} />,
        title: 'This device is offline',
        text: 'The browser reports no network connection.',
      };
    default:
      return {
        icon: server === location.origin ? <CloudOff size={18} /> : <Unplug size={18} />,
        title: 'The codec server does not answer',
        text: 'The server may be stopped or restarting, or the network connection to the server is interrupted. Workflows and workers are not affected.',
      };
  }
}
