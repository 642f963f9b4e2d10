import { z } from 'zod';

const pageTabs = ['history', 'pending', 'memo', 'metadata'] as const;
export type PageTab = (typeof pageTabs)[number];
export const panes = ['payloads', 'attributes', 'failure', 'raw', 'crypto'] as const;
export type Pane = (typeof panes)[number];

/** What a link to a run says: where one looks, never what one sees. Anything else in the address is dropped. */
export const workflowSearch = z.object({
  tab: z.enum(pageTabs).optional().catch(undefined),
  /** The event that is selected; it is scrolled to, and the inspector shows it. */
  ev: z.number().int().positive().optional().catch(undefined),
  /** With the id of a group's head: its first event instead of the group. */
  one: z.boolean().optional().catch(undefined),
  pane: z.enum(panes).optional().catch(undefined),
  view: z.enum(['groups', 'all']).optional().catch(undefined),
  /** Show workflow tasks among the groups. */
  tasks: z.boolean().optional().catch(undefined),
  /** False: draw idle time at full length. */
  idle: z.boolean().optional().catch(undefined),
  /** The part of the run that is zoomed to, in milliseconds from its start. */
  from: z.number().nonnegative().optional().catch(undefined),
  to: z.number().nonnegative().optional().catch(undefined),
});
export type WorkflowSearch = z.infer<typeof workflowSearch>;
