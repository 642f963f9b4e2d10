import { STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { serverText, statedCluster } from './coverage.ts';
import type { StoppedAt } from './primary-time.ts';
import { type DestroyQuestion, MAX_SKEW_MS, type Reason } from './question.ts';

/**
 * Returns a reason if the statement is missing, and otherwise each reason why it does not count or contradicts the
 * scans. A statement, like a scan, covers only data that exists at the time of the statement. Therefore a statement
 * counts only if, at that time, no program could encrypt under the version any longer.
 */
export function statementReasons(question: DestroyQuestion, stopped: StoppedAt): Reason[] {
  const { statement, key, servers, reports, now, maxAgeMs } = question;
  if (statement === undefined)
    return [{ code: 'not_stated', message: 'there is no statement (--statement) about what no scan sees' }];
  const messages: string[] = [];
  const age = now.getTime() - Date.parse(statement.time);
  if (!(age <= maxAgeMs && age >= -MAX_SKEW_MS))
    messages.push(`the statement is from ${statement.time}, which is too long ago or in the future`);
  if ('since' in stopped && !(Date.parse(statement.time) >= stopped.since + STOPS_WITHIN_MS))
    messages.push(
      `the statement is from ${statement.time}, but programs may have encrypted under the version until ${new Date(stopped.since + STOPS_WITHIN_MS).toISOString()}`,
    );
  if (statement.key !== key) messages.push(`the statement is about ${statement.key}`);
  for (const server of servers) {
    if (statedCluster(server, statement) === undefined)
      messages.push(`the statement does not name the Temporal server ${serverText(server)}`);
  }
  const scanned = reports.flatMap(({ namespaces }) => namespaces);
  const archived = scanned.find(({ looked }) => looked.archived.status !== 'none');
  if (statement.archives === 'none' && archived !== undefined)
    messages.push(
      `the statement says that there is no archive, but the namespace ${archived.namespace} has one`,
    );
  if (statement.archives === 'scanned' && archived === undefined)
    messages.push('the statement says that archives were scanned, but the report contains none');
  const exports = new Set(scanned.flatMap((namespace) => namespace.exports));
  if (statement.exports === 'none') {
    if (exports.size > 0)
      messages.push(
        `the statement says that there are no exports, but ${[...exports].join(', ')} was scanned`,
      );
  } else {
    for (const location of statement.exports)
      if (!exports.has(location)) messages.push(`the exports ${location} in the statement were not scanned`);
  }
  return messages.map((message) => ({ code: 'not_stated', message }));
}
