import type { ErrorComponentProps } from '@tanstack/react-router';
import { CircleAlert, Unplug } from 'lucide-react';
import { Button } from '../ui/controls/button.tsx';
import { isNotLoaded } from '../ui/errors.ts';
import { StatePage } from '../ui/page/state-page.tsx';

/**
 * Replaces a page that threw, or whose code could not be loaded. Does not show the error's message, which may quote a
 * payload.
 */
export function PageFailed({ error, reset }: ErrorComponentProps) {
  const missing = isNotLoaded(error);
  return (
    <StatePage
      icon={missing ? <Unplug size={18} /> : <CircleAlert size={18} />}
      title={missing ? 'A part of this page could not be loaded' : 'This page failed'}
      {...(!missing && {
        facts: [['Error', <code key="error">{error instanceof Error ? error.name : 'Error'}</code>] as const],
      })}
      actions={
        <>
          <Button look="primary" onClick={() => location.reload()}>
            Reload the page
          </Button>
          {missing ? null : <Button onClick={reset}>Try again</Button>}
        </>
      }
    >
      <p>
        {missing
          ? 'The network was interrupted, or the dashboard was updated since you opened it. Reloading keeps you at this address.'
          : 'This is an error in the dashboard. Workflows and workers are not affected. The other pages still work.'}
      </p>
    </StatePage>
  );
}
