import type { TemporalConfig } from '@temporal-kms/config';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { Connection } from '@temporalio/client';
import { duration } from '../cli/output.ts';
import { quote } from '../cli/quote.ts';
import { grpcCode, NOT_FOUND, PERMISSION_DENIED } from '../google/errors.ts';
import { type Finding, findings } from '../cli/finding.ts';

const { ok, warning, failed, skipped } = findings('temporal');

const UNAUTHENTICATED = 16;

/**
 * Connects to Temporal as the application does, and checks that namespaces exist.
 * @param own the namespace that the application needs
 * @param namespaces all configured namespaces; some may be on other servers
 */
export async function checkTemporal(
  { connectionOptions }: Pick<TemporalConfig, 'connectionOptions'>,
  own: string | undefined,
  namespaces: readonly string[],
): Promise<readonly Finding[]> {
  const address = connectionOptions.address ?? 'localhost:7233';
  const start = performance.now();
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...connectionOptions, connectTimeout: '10s' });
  } catch (error) {
    if (isRefusal(error)) return [refused(address, error)];
    return [
      failed(
        `Temporal does not answer at ${address}: ${messageOf(error)}`,
        'export TEMPORAL_ADDRESS=host:7233',
        `temporal operator cluster health --address ${quote(address)}`,
      ),
    ];
  }
  try {
    const connected = ok(`Temporal answers at ${address}`, performance.now() - start);
    const found = [connected];
    for (const namespace of namespaces)
      found.push(await checkNamespace(connection, address, namespace, namespace === own));
    return found;
  } finally {
    await connection.close();
  }
}

async function checkNamespace(
  connection: Connection,
  address: string,
  namespace: string,
  isOwn: boolean,
): Promise<Finding> {
  try {
    const { config } = await connection.withDeadline(Date.now() + 10_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    const retention = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
    return ok(
      `the namespace ${namespace} exists and keeps closed workflows for ${duration(retention * 1000)}`,
    );
  } catch (error) {
    if (isRefusal(error))
      return isOwn
        ? refused(address, error)
        : skipped(`these credentials may not describe the namespace ${namespace} from the keys file`);
    if (grpcCode(error) === NOT_FOUND) {
      const report = isOwn ? failed : warning;
      return report(
        `the namespace ${namespace}${isOwn ? '' : ', for which the keys file has a rule,'} does not exist at ${address}`,
        ...(isOwn ? ['export TEMPORAL_NAMESPACE=…'] : []),
        `temporal operator namespace create --namespace ${quote(namespace)} --retention 72h --address ${quote(address)}`,
      );
    }
    return failed(`the namespace ${namespace} cannot be described: ${messageOf(error)}`);
  }
}

const isRefusal = (error: unknown): boolean =>
  [PERMISSION_DENIED, UNAUTHENTICATED].includes(grpcCode(error) ?? -1);

const refused = (address: string, error: unknown): Finding =>
  failed(
    `Temporal at ${address} refuses these credentials: ${messageOf(error)}`,
    'export TEMPORAL_API_KEY=…',
    'export TEMPORAL_TLS_CLIENT_CERT_PATH=… TEMPORAL_TLS_CLIENT_KEY_PATH=…',
  );
