import { ArrowUpRight } from 'lucide-react';
import type { Group } from '../events/history.ts';
import { eventLinks, linkText, uniqueLinks } from '../events/run-links.ts';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import styles from './row-link.module.css';

/** A link to the run that a row refers to: a child, or the workflow that receives a signal. */
export function RowLink({ group }: { group: Group }) {
  const { address } = useRun();
  if (group.category !== 'child' && group.category !== 'external') return null;
  const [link] = uniqueLinks(group.events.flatMap((event) => eventLinks(event, address)));
  if (!link) return null;
  return (
    <RunAnchor
      run={link}
      // Only the row is in the tab order; the row's inspector has the same link.
      tabIndex={-1}
      label={`Open ${linkText(link, address.namespace)}`}
      className={styles['link']}
    >
      <ArrowUpRight size={14} aria-hidden="true" />
    </RunAnchor>
  );
}
