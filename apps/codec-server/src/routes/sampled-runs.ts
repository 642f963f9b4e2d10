import { MAX_FIELD_RUNS, type RunSample, type WorkflowSummary } from '@temporal-kms/codec-api';
import { badRequest } from '../errors.ts';
import { among } from './among.ts';

/** A page of a sample: the index of its time in `until`, and the latest close time of its runs. */
interface SamplePage {
  readonly index: number;
  readonly until: number;
}

/** Parses a page token. An empty token means the first page. */
function pageOf({ until }: RunSample, token: string): SamplePage {
  const [index, by = until[0]] = token === '' ? [0] : token.split('-').map(Number);
  if (index === undefined || by === undefined || until[index] === undefined || !(by <= until[index]))
    throw badRequest('after is invalid; send a value from an earlier response.');
  return { index, until: by };
}

/**
 * Returns the query for a page of a sample. Relies on the order of Temporal's lists: the run that closed last
 * is first.
 */
export function samplePage(query: string, sample: RunSample, token: string) {
  const { until } = pageOf(sample, token);
  const [from, to] = [sample.from, until].map((at) => new Date(at).toISOString());
  return {
    query: among(query, `CloseTime >= '${from}' AND CloseTime <= '${to}'`),
    pageSize: Math.floor(MAX_FIELD_RUNS / sample.until.length),
  };
}

/**
 * Returns the token of the next page, or undefined after the last page. The next page contains only runs that
 * closed before the runs of this page, so that the pages of nearby times do not contain the same runs.
 */
export function nextSampleToken(
  sample: RunSample,
  token: string,
  runs: readonly WorkflowSummary[],
): string | undefined {
  const index = pageOf(sample, token).index + 1;
  const until = sample.until[index];
  // If a page has no runs, an earlier time selects none either.
  if (until === undefined || runs.length === 0) return undefined;
  const oldest = Math.min(...runs.map(({ closeTime }) => Date.parse(closeTime ?? '')));
  return `${index}-${Math.min(until, oldest - 1)}`;
}
