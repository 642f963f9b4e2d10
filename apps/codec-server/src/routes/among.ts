/**
 * Matches an `ORDER BY` clause at the end of a query, outside quotes. The clause must be removed before the
 * query is combined with a condition.
 */
const ORDER = /(?:^|\s)ORDER\s+BY\s[^'"]*$/i;

/** Returns a query for the runs that match a visibility query and a condition, in the default order. */
export function among(query: string, condition: string): string {
  const own = query.replace(ORDER, '').trim();
  return own === '' ? condition : `(${own}) AND ${condition}`;
}
