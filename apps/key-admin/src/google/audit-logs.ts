import type { protos } from '@google-cloud/resource-manager';
import type { GoogleClients } from './client.ts';
import { ABORTED, googleError, grpcCode } from './errors.ts';
import { quote } from '../cli/quote.ts';

/**
 * The kinds of Data Access audit logs. Calls to encrypt and decrypt are data access; calls to get and list
 * are administrative reads.
 */
const logTypes = ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'] as const;

const SERVICE = 'cloudkms.googleapis.com';
const ROLE = 'roles/resourcemanager.projectIamAdmin';
const MAX_TRIES = 5;

type Policy = protos.google.iam.v1.IPolicy;

async function readPolicy({ projects, read }: GoogleClients, project: string): Promise<Policy> {
  const resource = `projects/${project}`;
  const [policy] = await read({ resource, role: ROLE }, (options) =>
    projects.getIamPolicy({ resource, options: { requestedPolicyVersion: 3 } }, options),
  );
  return policy;
}

type AuditConfig = protos.google.iam.v1.IAuditConfig;

/** The change that turns on Cloud KMS's Data Access audit logs in a project. */
export interface AuditChange {
  /** Whether the logs are already on. */
  readonly isDone: boolean;
  /** The equivalent `gcloud` commands. */
  readonly lines: readonly string[];
}

/** Returns the change that a project needs. @throws CliError */
export async function planAuditLogs(google: GoogleClients, project: string): Promise<AuditChange> {
  const policy = await readPolicy(google, project);
  return { isDone: missingIn(policy).length === 0, lines: auditLogLines(project, wantedConfig(policy)) };
}

const missingIn = ({ auditConfigs }: Policy): string[] => {
  const on = (auditConfigs ?? [])
    .filter(({ service }) => service === SERVICE || service === 'allServices')
    .flatMap(({ auditLogConfigs }) => auditLogConfigs ?? [])
    .map(({ logType }) => String(logType));
  return logTypes.filter((logType) => !on.includes(logType));
};

/** Returns the configuration of Cloud KMS with all logs on. Exempted members stay exempt. */
function wantedConfig(policy: Policy): AuditConfig {
  const missing = missingIn(policy);
  const own = policy.auditConfigs?.find(({ service }) => service === SERVICE);
  return {
    service: SERVICE,
    auditLogConfigs: [
      ...(own?.auditLogConfigs ?? []),
      ...logTypes.filter((logType) => missing.includes(logType)).map((logType) => ({ logType })),
    ],
  };
}

/**
 * Turns on all Data Access audit logs of Cloud KMS. Does not change bindings or other services.
 * @throws CliError
 */
export async function switchOnAuditLogs(google: GoogleClients, project: string): Promise<void> {
  const resource = `projects/${project}`;
  for (let tries = 1; ; tries += 1) {
    const policy = await readPolicy(google, project);
    if (missingIn(policy).length === 0) return;
    const others = (policy.auditConfigs ?? []).filter(({ service }) => service !== SERVICE);
    const auditConfigs = [...others, wantedConfig(policy)];
    try {
      await google.projects.setIamPolicy(
        {
          resource,
          policy: { ...policy, auditConfigs },
          // The update does not contain bindings, so it cannot remove a grant.
          updateMask: { paths: ['audit_configs', 'etag'] },
        },
        { timeout: 10_000, retry: null },
      );
      return;
    } catch (error) {
      if (grpcCode(error) === ABORTED && tries < MAX_TRIES) continue;
      throw googleError(error, { resource, role: ROLE });
    }
  }
}

/**
 * Returns the equivalent commands, which replace the whole policy, because `gcloud` has no command that
 * changes only audit configurations.
 * @param config by default, all logs, without exempted members
 */
export function auditLogLines(project: string, config: AuditConfig = wantedConfig({})): string[] {
  const filter = `.auditConfigs = [.auditConfigs[]? | select(.service != "${SERVICE}")] + [${JSON.stringify(config)}]`;
  return [
    `gcloud projects get-iam-policy ${project} --format=json > policy.json`,
    `jq ${quote(filter)} policy.json > new-policy.json`,
    `gcloud projects set-iam-policy ${project} new-policy.json`,
  ];
}
