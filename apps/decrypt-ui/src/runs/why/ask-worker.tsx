import { Link } from '@tanstack/react-router';
import { Radio } from 'lucide-react';
import { useRunAccess } from '../../payloads/reveal/reveal-choices.ts';
import { useMe } from '../../session/me.tsx';
import { buttonClass } from '../../ui/controls/button.tsx';
import { queryPermissions } from '../query-permissions.ts';
import { requested } from '../requested.ts';
import { useRun } from '../run/run-context.tsx';

/** A link to the Now tab, which then asks a worker what the run is waiting for. */
export function AskWorker() {
  const { address } = useRun();
  const { can } = useMe();
  const access = useRunAccess(address);
  if (address.file || !queryPermissions.every((permission) => can(address.namespace, permission)))
    return null;
  return (
    <Link
      from="/ns/$namespace/workflows/$workflowId/$runId"
      to="."
      search={(known) => ({ ...known, tab: 'now' })}
      state={requested}
      className={buttonClass({ look: access === 'open' ? 'ghost' : 'crypto', size: 'small' })}
      data-tip="Current details and call stack: a worker replays the run"
    >
      <Radio size={14} />
      Ask the worker
    </Link>
  );
}
