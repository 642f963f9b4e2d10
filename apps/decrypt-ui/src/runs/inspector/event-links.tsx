import { useNavigate } from '@tanstack/react-router';
import { ArrowUpRight } from 'lucide-react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import type { RecordedEvent } from '../events/history.ts';
import { eventLinks, linkText, runSuffix, uniqueLinks } from '../events/run-links.ts';
import { openRun, RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './event-links.module.css';

/** Links to the runs that the selected events refer to. */
export function EventLinks({ events }: { events: readonly RecordedEvent[] }) {
  const { address } = useRun();
  const navigate = useNavigate();
  const links = uniqueLinks(events.flatMap((event) => eventLinks(event, address)));
  const [first] = links;
  useCommands({ 'run.related': first && (() => openRun(navigate, first)) });
  if (links.length === 0) return null;
  return (
    <ul className={styles['links']} aria-label="Related runs">
      {links.map((link, index) => (
        <li key={JSON.stringify(link)}>
          <RunAnchor run={link} className={styles['link']} {...(index === 0 ? tip('run.related') : {})}>
            <span className="t3">{link.relation}</span>
            <span className="ellipsis">{linkText(link, address.namespace)}</span>
            <span className="mono t3">{runSuffix(link, links)}</span>
            {link.eventId === undefined ? null : <span className="t3">event {link.eventId}</span>}
            <ArrowUpRight size={14} aria-hidden="true" />
          </RunAnchor>
        </li>
      ))}
    </ul>
  );
}
