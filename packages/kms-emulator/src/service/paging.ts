import { invalidArgument, unimplemented } from '../model/errors.ts';
import { text } from './fields.ts';

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
 * Returns a page of a list. The token contains the parent of the list and the position.
 *
 * @throws KmsError INVALID_ARGUMENT for a token that does not belong to this list
 */
export function page<T>(all: readonly T[], parent: string, request: ListRequest): Page<T> {
  if (text(request.filter) !== '') throw unimplemented('The emulator does not filter lists.');
  if (text(request.orderBy) !== '') throw unimplemented('The emulator does not sort lists.');
  const size = request.pageSize ?? 0;
  if (size < 0) throw invalidArgument('The field page_size must not be negative.');
  const start = position(text(request.pageToken), parent);
  const end = start + Math.min(size === 0 ? DEFAULT_SIZE : size, MAX_SIZE);
  return {
    items: all.slice(start, end),
    nextPageToken: end < all.length ? tokenFor(parent, end) : '',
    totalSize: all.length,
  };
}

const tokenFor = (parent: string, start: number): string =>
  Buffer.from(JSON.stringify([parent, start])).toString('base64url');

function position(token: string, parent: string): number {
  if (token === '') return 0;
  const match = /^\[(".*"),([0-9]{1,9})\]$/.exec(Buffer.from(token, 'base64url').toString());
  if (match === null || match[1] !== JSON.stringify(parent))
    throw invalidArgument('The field page_token is invalid.');
  return Number(match[2]);
}
