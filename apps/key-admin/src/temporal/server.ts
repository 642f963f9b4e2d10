import type { ScannedServer } from '@temporal-kms/codec-api';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import type { Connection } from '@temporalio/client';
import { CliError } from '../cli/cli-error.ts';
import { grpcCode, NOT_FOUND, PERMISSION_DENIED } from '../google/errors.ts';

// https://grpc.io/docs/guides/status-codes/
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;
const CALL_MS = 60_000;
const PAGE_SIZE = 200;
/**
 * The system namespace, which every Temporal server has. A list without the system namespace comes from a proxy, and
 * contains only the namespaces that the proxy shows this caller.
 */
const SYSTEM = 'temporal-system';

/** A Temporal server, as it describes itself to the caller. */
export interface TemporalServer extends ScannedServer {
  /**
   * Whether the server lists all its namespaces for these credentials. Temporal Cloud does not list
   * namespaces for a namespace's API keys.
   */
  readonly isListed: boolean;
  /**
   * All namespaces, or, if the server does not list them all, the listed namespaces and the requested
   * namespaces that exist.
   */
  readonly namespaces: readonly { readonly name: string; readonly id: string }[];
}

/**
 * Returns a Temporal server's cluster id, and its namespaces with their ids.
 * @param address the address of `connection`
 * @param names namespaces to request if the server does not list all its namespaces
 * @throws CliError if the server does not answer, or does not accept the credentials
 */
export async function describeServer(
  connection: Connection,
  address: string,
  names: Iterable<string>,
): Promise<TemporalServer> {
  const { workflowService } = connection;
  /**
   * Makes a call. Returns undefined if the server does not support the call, forbids it, or lacks the requested item.
   */
  const permitted = async <T>(make: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await connection.withDeadline(Date.now() + CALL_MS, make);
    } catch (error) {
      const code = grpcCode(error);
      if (code === PERMISSION_DENIED || code === UNIMPLEMENTED || code === NOT_FOUND) return undefined;
      throw new CliError(
        code === UNAUTHENTICATED ? 'notPermitted' : 'unavailable',
        `Temporal at ${address} did not describe its namespaces: ${messageOf(error)}`,
        ['temporal-kms doctor --app worker'],
        error,
      );
    }
  };
  const list = async () => {
    const found: TemporalServer['namespaces'][number][] = [];
    let nextPageToken: Uint8Array = new Uint8Array();
    do {
      const token = nextPageToken;
      const page = await permitted(() =>
        workflowService.listNamespaces({ pageSize: PAGE_SIZE, nextPageToken: token }),
      );
      if (page === undefined) return undefined;
      for (const { namespaceInfo } of page.namespaces)
        found.push({ name: namespaceInfo?.name ?? '', id: namespaceInfo?.id ?? '' });
      nextPageToken = page.nextPageToken;
    } while (nextPageToken.length > 0);
    return found;
  };
  const describeEach = async (found: TemporalServer['namespaces'][number][]) => {
    const known = new Set(found.map(({ name }) => name));
    for (const name of new Set(names)) {
      if (known.has(name)) continue;
      const described = await permitted(() => workflowService.describeNamespace({ namespace: name }));
      if (described !== undefined) found.push({ name, id: described.namespaceInfo?.id ?? '' });
    }
    return found;
  };
  const cluster = await permitted(() => workflowService.getClusterInfo({}));
  const listed = await list();
  const isListed = listed?.some(({ name }) => name === SYSTEM) === true;
  return {
    address,
    ...(cluster?.clusterId ? { clusterId: cluster.clusterId } : {}),
    isListed,
    namespaces: isListed ? listed : await describeEach(listed ?? []),
  };
}
