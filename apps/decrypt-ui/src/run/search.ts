import { z } from 'zod';

const pageTabs = ['history', 'pending', 'relations', 'memo', 'metadata'] as const;
export type PageTab = (typeof pageTabs)[number];
export const panes = ['payloads', 'attributes', 'failure', 'raw', 'crypto'] as const;
export type Pane = (typeof panes)[number];

/**
 * The search parameters of a run's address: which part of the run the reader looks at, and no workflow data. Unknown
 * parameters are dropped.
 */
export const workflowSearch = z.object({
  tab: z.enum(pageTabs).optional().catch(undefined),
  /** The id of the selected event. The history scrolls to it, and the inspector shows it. */
  ev: z.number().int().positive().optional().catch(undefined),
  /** Selects the first event of a group instead of the group. */
  one: z.boolean().optional().catch(undefined),
  /** Shows the input and the result of the run in full. */
  io: z.boolean().optional().catch(undefined),
  pane: z.enum(panes).optional().catch(undefined),
  view: z.enum(['groups', 'all']).optional().catch(undefined),
  /** Shows workflow tasks among the groups. */
  tasks: z.boolean().optional().catch(undefined),
  /** False draws idle time at full length. */
  idle: z.boolean().optional().catch(undefined),
  /** The part of the run that the waterfall shows, in milliseconds from the start of the run. */
  from: z.number().nonnegative().optional().catch(undefined),
  to: z.number().nonnegative().optional().catch(undefined),
});
export type WorkflowSearch = z.infer<typeof workflowSearch>;
