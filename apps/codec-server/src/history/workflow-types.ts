import { quoted, type WorkflowTypes } from '@temporal-kms/codec-api';

/** Maximum number of types in a response. */
const MAX_TYPES = 100;

/**
 * Maximum number of calls for a response. Temporal limits a namespace's visibility calls to a few per second.
 */
const MAX_CALLS = 8;

interface Page {
  /** The types of the runs on the page. */
  readonly types: readonly string[];
  /** Whether more runs match. */
  readonly more: boolean;
}

/**
 * Returns the workflow types that begin with a prefix. Temporal groups counts by status only, so each call lists runs whose type
 * no earlier call has found.
 *
 * @param list returns a page of the runs that match a visibility query
 */
export async function workflowTypesOf(
  prefix: string,
  list: (query: string) => Promise<Page>,
): Promise<WorkflowTypes> {
  const types = new Set<string>();
  for (let calls = 0; calls < MAX_CALLS && types.size < MAX_TYPES; calls += 1) {
    const conditions = [
      ...(prefix === '' ? [] : [`WorkflowType STARTS_WITH ${quoted(prefix)}`]),
      ...(types.size === 0 ? [] : [`WorkflowType NOT IN (${[...types].map(quoted).join(', ')})`]),
    ];
    const page = await list(conditions.join(' AND '));
    // Temporal accepts a type that contains a null character, but fails on a query that contains this
    // character.
    for (const type of page.types) if (!type.includes('\0')) types.add(type);
    if (!page.more) return { types: [...types].toSorted(), complete: true };
  }
  return { types: [...types].toSorted(), complete: false };
}
