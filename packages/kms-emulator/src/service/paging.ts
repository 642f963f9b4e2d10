import { invalidArgument } from '../model/errors.ts';
import { text } from './fields.ts';
import { comparator, filterOf } from './list-query.ts';

/** The fields that all list requests have. */
export interface ListRequest {
  readonly pageSize?: number | null;
  readonly pageToken?: string | null;
  readonly filter?: string | null;
  readonly orderBy?: string | null;
}

interface Page<T> {
  readonly items: T[];
  readonly nextPageToken: string;
  readonly totalSize: number;
}

/** A list response, with its items under the field name of its proto. */
export type ListPage<Field extends string, T> = Record<Field, T[]> & Omit<Page<T>, 'items'>;

const DEFAULT_SIZE = 100;
const MAX_SIZE = 1000;

/**
 * Returns a page of a list. The page contains messages that the request's filter selects, in the requested
 * order. The page token contains the list, the filter, the order and the position.
 *
 * @throws KmsError INVALID_ARGUMENT if the token does not belong to this list, or the filter or order is
 *   malformed
 */
export function page<T extends object>(all: readonly T[], parent: string, request: ListRequest): Page<T> {
  const filter = text(request.filter);
  const order = text(request.orderBy);
  const size = request.pageSize ?? 0;
  if (size < 0) throw invalidArgument('The field page_size must not be negative.');
  const selected = all.filter(filterOf(filter));
  const sorted = order === '' ? selected : selected.toSorted(comparator(order));
  const list = JSON.stringify(filter + order === '' ? parent : [parent, filter, order]);
  const start = position(text(request.pageToken), list);
  const end = start + Math.min(size === 0 ? DEFAULT_SIZE : size, MAX_SIZE);
  return {
    items: sorted.slice(start, end),
    nextPageToken: end < sorted.length ? tokenFor(list, end) : '',
    // According to resources.proto, the total is not set for a list with a filter.
    totalSize: filter === '' ? all.length : 0,
  };
}

const tokenFor = (list: string, start: number): string =>
  Buffer.from(`[${list},${start}]`).toString('base64url');

function position(token: string, list: string): number {
  if (token === '') return 0;
  const match = /^\[(.*),([0-9]{1,9})\]$/.exec(Buffer.from(token, 'base64url').toString());
  if (match === null || match[1] !== list) throw invalidArgument('The field page_token is invalid.');
  return Number(match[2]);
}
