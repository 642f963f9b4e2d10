/**
 * Matches an `ORDER BY` clause at the end of a query, outside quotes. A query with this clause cannot be combined
 * with a condition.
 */
const ORDER = /(?:^|\s)ORDER\s+BY\s[^'"]*$/i;

/** Returns the query for the runs of a visibility query that also meet a condition, in the usual order. */
export function among(query: string, condition: string): string {
  const own = query.replace(ORDER, '').trim();
  return own === '' ? condition : `(${own}) AND ${condition}`;
}
