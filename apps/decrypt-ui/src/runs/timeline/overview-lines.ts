import { isFailure } from '@temporal-kms/histories/events';
import type { Group } from '../events/history.ts';

/** A line of the overview. */
interface OverviewLine {
  readonly group: Group;
  /** The place of the group among all, from 0 to 1. */
  readonly place: number;
  readonly failed: boolean;
}

/** More lines would overlap. */
const MAX_LINES = 3000;
/** Shorter histories are seen as a whole. */
const LEAST_ROWS = 10;

const isShown = (tasks: boolean) => (group: Group) => tasks || group.category !== 'task';

/** Whether a history is long enough for an overview. */
export const hasOverview = (groups: readonly Group[], tasks: boolean): boolean =>
  groups.filter(isShown(tasks)).length >= LEAST_ROWS;

/** The lines of the overview in the order in which they are drawn: failures are last, so that no other line covers them. */
export function overviewLines(groups: readonly Group[], tasks: boolean): OverviewLine[] {
  const shown = groups.filter(isShown(tasks));
  const every = Math.ceil(shown.length / MAX_LINES);
  const lines = shown.flatMap((group, index): OverviewLine[] => {
    const failed = isFailure(group.outcome);
    // Failed and open groups are never left out.
    if (index % every !== 0 && !group.open && !failed) return [];
    return [{ group, place: index / Math.max(shown.length - 1, 1), failed }];
  });
  return [...lines.filter(({ failed }) => !failed), ...lines.filter(({ failed }) => failed)];
}
