import { useLocation, useNavigate } from '@tanstack/react-router';
import { useMe } from '../session/me.tsx';
import { useCommands } from '../ui/commands/registry.ts';

/** The pages of a namespace, in the order of the navigation. */
const pages = [
  { to: '/ns/$namespace/workflows', text: 'Workflows', command: 'go.workflows', permission: 'metadata' },
  { to: '/ns/$namespace/schedules', text: 'Schedules', command: 'go.schedules', permission: 'metadata' },
  { to: '/ns/$namespace/keys', text: 'Keys', command: 'go.keys', permission: 'metadata' },
  { to: '/ns/$namespace/audit', text: 'Audit', command: 'go.audit', permission: 'audit' },
] as const;

export type PageAddress = (typeof pages)[number]['to'];

/**
 * Returns the pages that the person may open in a namespace, the current page, and a function that opens another
 * page. Defines the actions of the navigation commands.
 */
export function usePages(namespace: string) {
  const { can } = useMe();
  const navigate = useNavigate();
  const part = useLocation({ select: ({ pathname }) => pathname.split('/')[3] });
  const offered = pages.filter(({ permission }) => can(namespace, permission));
  // These pages have no link in the navigation: the list of workflows leads to them.
  const shown = part === 'causes' || part === 'differs' ? 'workflows' : part;
  const current = pages.find(({ to }) => to.endsWith(`/${shown}`))?.to;
  const open = (to: PageAddress, other = namespace) => {
    const allowed = pages.filter(({ permission }) => can(other, permission));
    const page = allowed.find((each) => each.to === to) ?? allowed[0];
    void navigate({ to: page?.to ?? to, params: { namespace: other } });
  };
  useCommands({
    ...Object.fromEntries(offered.map(({ command, to }) => [command, () => open(to)])),
    'go.causes': can(namespace, 'metadata')
      ? () => void navigate({ to: '/ns/$namespace/causes', params: { namespace } })
      : undefined,
  });
  return { offered, current, open };
}
