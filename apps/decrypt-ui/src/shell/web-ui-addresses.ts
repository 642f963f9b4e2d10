import type { WorkflowSearch } from '../runs/run-params.ts';

/** By the first part of an address below a run: the same part of the run here. */
const tabs: Readonly<Record<string, WorkflowSearch['tab']>> = {
  'pending-activities': 'pending',
  relationships: 'relations',
  memo: 'memo',
  metadata: 'metadata',
  'user-metadata': 'metadata',
  'search-attributes': 'metadata',
};

/**
 * Returns which part of a run an address of Temporal's Web UI shows.
 *
 * @param part what follows the run id: `history`, `history/events/5`, `pending-activities`
 */
export function webUiView(part: string): WorkflowSearch {
  const event = /^history\/event(?:s|-groups)\/([1-9]\d{0,8})(?:\/|$)/.exec(part)?.[1];
  if (event !== undefined) return { ev: Number(event) };
  const [first = ''] = part.split('/');
  const tab = Object.hasOwn(tabs, first) ? tabs[first] : undefined;
  return tab === undefined ? {} : { tab };
}
