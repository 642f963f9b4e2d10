import type { WorkflowSearch } from '../runs/run-params.ts';

/**
 * The tab of this page that corresponds to each tab of Temporal's Web UI. The keys are the path segments after the run
 * id.
 */
const tabs: Readonly<Record<string, WorkflowSearch['tab']>> = {
  'call-stack': 'now',
  query: 'now',
  workers: 'now',
  'pending-activities': 'pending',
  relationships: 'relations',
  memo: 'memo',
  metadata: 'metadata',
  'user-metadata': 'metadata',
  'search-attributes': 'metadata',
};

/**
 * Returns the view of a run that an address of Temporal's Web UI shows.
 *
 * @param part the path after the run id: `history`, `history/events/5`, `pending-activities`
 */
export function webUiView(part: string): WorkflowSearch {
  const event = /^history\/event(?:s|-groups)\/([1-9]\d{0,8})(?:\/|$)/.exec(part)?.[1];
  if (event !== undefined) return { ev: Number(event) };
  const [first = ''] = part.split('/');
  const tab = Object.hasOwn(tabs, first) ? tabs[first] : undefined;
  return tab === undefined ? {} : { tab };
}
