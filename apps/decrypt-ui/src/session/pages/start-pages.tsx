import { CircleCheck, TriangleAlert } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { isNotLoaded } from '../../ui/errors.ts';
import { StatePage } from '../../ui/page/state-page.tsx';
import { failureCode } from '../server/failure.ts';
import { Unreachable } from './failure-page.tsx';
import { Frame } from './frame.tsx';

interface StartFailureProps {
  readonly error: Error;
  /** The codec server's address, if the configuration is known. */
  readonly apiUrl?: string;
  readonly onRetry: () => void;
}

/** Shown instead of the application when its configuration is missing or the codec server cannot be reached. */
export function StartFailure({ error, apiUrl, onRetry }: StartFailureProps) {
  const missing = isNotLoaded(error);
  return (
    <Frame>
      {apiUrl !== undefined && failureCode(error) === 'unreachable' ? (
        <Unreachable apiUrl={apiUrl} onRetry={onRetry} />
      ) : (
        <StatePage
          icon={<TriangleAlert size={18} />}
          title="The dashboard could not start"
          actions={
            <Button look="primary" onClick={missing ? () => location.reload() : onRetry}>
              {missing ? 'Reload the page' : 'Try again'}
            </Button>
          }
        >
          <p>
            {missing
              ? 'The server does not answer, or the dashboard was updated since you opened it.'
              : error.message}
          </p>
        </StatePage>
      )}
    </Frame>
  );
}

/** The content of a window that another page opened for its sign-in, if the browser does not close the window. */
export function SignInWindow() {
  return (
    <Frame>
      <StatePage icon={<CircleCheck size={18} />} title="You are signed in">
        <p>You can close this window. The page that opened it continues.</p>
      </StatePage>
    </Frame>
  );
}
