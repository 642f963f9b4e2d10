import { isFailure } from '@temporal-kms/histories/events';
import type { Group } from '../events/history.ts';

/** A line of the overview. */
interface OverviewLine {
  readonly group: Group;
  /** The group's position among all groups, from 0 to 1. */
  readonly place: number;
  readonly failed: boolean;
}

/** Maximum number of lines, because more would overlap. */
const MAX_LINES = 3000;
/** Histories with fewer rows need no overview, because they are visible as a whole. */
const LEAST_ROWS = 10;

const isShown = (tasks: boolean) => (group: Group) => tasks || group.category !== 'task';

/** Returns whether a history is long enough for an overview. */
export const hasOverview = (groups: readonly Group[], tasks: boolean): boolean =>
  groups.filter(isShown(tasks)).length >= LEAST_ROWS;

/** Returns the overview's lines in drawing order: failures last, so that no other line covers them. */
export function overviewLines(groups: readonly Group[], tasks: boolean): OverviewLine[] {
  const shown = groups.filter(isShown(tasks));
  const every = Math.ceil(shown.length / MAX_LINES);
  const lines = shown.flatMap((group, index): OverviewLine[] => {
    const failed = isFailure(group.outcome);
    // Never omits failed or open groups.
    if (index % every !== 0 && !group.open && !failed) return [];
    return [{ group, place: index / Math.max(shown.length - 1, 1), failed }];
  });
  return [...lines.filter(({ failed }) => !failed), ...lines.filter(({ failed }) => failed)];
}
