import { sawEverything, type ScannedNamespace, type ScanReport } from '@temporal-kms/codec-api';
import type { TemporalServer } from '../temporal/server.ts';
import type { Statement } from './statement.ts';
import type { DestroyQuestion, Reason } from './question.ts';

type Server = Pick<TemporalServer, 'address' | 'clusterId'>;

const isSame = (a: Server, b: Server): boolean => a.address === b.address && a.clusterId === b.clusterId;

/** Returns the part of the statement that is about a server. */
export const statedCluster = (
  server: Server,
  statement: Statement | undefined,
): Statement['clusters'][number] | undefined =>
  statement?.clusters.find(({ address, id }) => isSame(server, { address, clusterId: id }));

/** Returns a server's name for messages. */
export const serverText = ({ address, clusterId }: Server): string =>
  `${address}${clusterId === undefined ? '' : ` (cluster ${clusterId})`}`;

/**
 * Compares the scans with what the servers report now, and returns what the scans did not see. A scan counts only for
 * the server and the namespaces that it read. A scan does not count for another server, or for a namespace that was
 * created after the scan, even under the same name.
 */
export function coverageReasons(question: DestroyQuestion): Reason[] {
  const { reports, servers, namespaces, statement } = question;
  const scanned = reports.flatMap((report) => report.namespaces);
  const names = new Set(scanned.map(({ namespace }) => namespace));
  return [
    ...(scanned.length === 0
      ? [{ code: 'not_seen' as const, message: 'the report contains no namespace' }]
      : []),
    ...reports.flatMap((report) => identityReasons(report, servers)),
    ...namespaces
      .filter((name) => !names.has(name))
      .map((name) => ({ code: 'not_seen' as const, message: `the namespace ${name} was not scanned` })),
    ...servers.flatMap((server) => namespaceReasons(server, question)),
    ...(statement?.clusters ?? [])
      .map(({ address, id }) => ({ address, ...(id === undefined ? {} : { clusterId: id }) }))
      .filter((stated) => !servers.some((server) => isSame(server, stated)))
      .map((stated) => ({
        code: 'not_seen' as const,
        message: `the Temporal server ${serverText(stated)} from the statement is not among those that answered: ${servers.map(serverText).join(', ')}. Check its address and id, and give its variables under environment`,
      })),
    ...reports
      .filter(({ complete, finished }) => !complete || finished === undefined)
      .map(({ started }) => ({
        code: 'not_seen' as const,
        message: `the scan of ${started} was not complete`,
      })),
    ...scanned
      .filter((one) => !sawEverything(one))
      .map((one) => ({ code: 'not_seen' as const, message: gapText(one) })),
  ];
}

const other = (message: string): Reason => ({ code: 'other_server', message });

/**
 * Returns why a report does not count: it does not state its server, its server does not answer now, or one
 * of its namespaces no longer exists.
 */
function identityReasons({ server, namespaces }: ScanReport, servers: readonly TemporalServer[]): Reason[] {
  if (server === undefined)
    return [other('the report does not state which Temporal server was scanned: scan again')];
  const now = servers.find((one) => isSame(one, server));
  if (now === undefined)
    return [
      other(
        `the report is about the Temporal server ${serverText(server)}, but the servers that answer now are ${servers.map(serverText).join(', ')}`,
      ),
    ];
  return namespaces.flatMap(({ namespace, id }) => {
    const known = now.namespaces.find(({ name }) => name === namespace);
    if (known !== undefined && known.id !== '' && known.id === id) return [];
    return [
      other(
        `the namespace ${namespace} of ${server.address} is not the namespace that was scanned: ${known === undefined ? 'it no longer exists' : 'it was recreated'}. Scan again`,
      ),
    ];
  });
}

/** Returns a reason for each of a server's namespaces that had to be scanned, but was not. */
function namespaceReasons(server: TemporalServer, question: DestroyQuestion): Reason[] {
  const { reports, namespaces, hasOtherNamespaces, statement } = question;
  const stated = statedCluster(server, statement)?.namespaces;
  const scanned = new Set(
    reports
      .filter((report) => report.server !== undefined && isSame(report.server, server))
      .flatMap((report) => report.namespaces.map(({ namespace }) => namespace)),
  );
  const missing = (names: readonly string[], why: string): Reason[] =>
    [...new Set(names)]
      .filter((name) => !scanned.has(name))
      .map((name) => ({
        code: 'not_seen',
        message: `the namespace ${name} of ${server.address} was not scanned${why}`,
      }));
  if (!server.isListed && stated === undefined)
    return [
      {
        code: 'not_stated',
        message: `Temporal at ${server.address} does not list its namespaces for these credentials: give the credentials access to the whole server (with Temporal's default authorizer, the system role reader), or list every namespace that the key serves under namespaces in the statement`,
      },
    ];
  // A server that does not list all its namespaces may still describe the namespaces that the configuration names.
  const known = server.namespaces.map(({ name }) => name);
  if (hasOtherNamespaces)
    return missing([...known, ...(stated ?? [])], ', and the configuration uses the key for every namespace');
  const named = known.filter((name) => namespaces.includes(name));
  const further = known.filter((name) => !namespaces.includes(name) && !scanned.has(name));
  return [
    ...missing([...named, ...(stated ?? [])], ''),
    ...(stated !== undefined || further.length === 0
      ? []
      : [
          {
            code: 'not_stated' as const,
            message: `namespaces of ${server.address} that the configuration does not name were not scanned: ${someOf(further)}. Scan them too, or list every namespace that the key serves under namespaces in the statement`,
          },
        ]),
  ];
}

/** Maximum number of namespaces that a message names, because a server may have thousands of namespaces. */
const MAX_NAMES = 10;

const someOf = (names: readonly string[]): string =>
  names.length <= MAX_NAMES
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`;

function gapText({ namespace, gaps }: ScannedNamespace): string {
  const [gap] = gaps;
  const more = gaps.length > 1 ? ` And ${gaps.length - 1} more.` : '';
  return `the scan of the namespace ${namespace} did not see everything: ${gap?.message ?? 'it ended early.'}${more}`;
}
