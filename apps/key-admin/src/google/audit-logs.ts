import type { protos } from '@google-cloud/resource-manager';
import type { GoogleClients } from './client.ts';
import { ABORTED, googleError, grpcCode } from './errors.ts';

/** The kinds of Data Access audit logs. Encrypt and Decrypt are data access; Get and List are administrative reads. */
export const logTypes = ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'] as const;

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

/** Returns which Data Access audit logs of Cloud KMS are off in a project. @throws CliError */
export async function missingAuditLogs(google: GoogleClients, project: string): Promise<readonly string[]> {
  return missingIn(await readPolicy(google, project));
}

const missingIn = ({ auditConfigs }: Policy): string[] => {
  const on = (auditConfigs ?? [])
    .filter(({ service }) => service === SERVICE || service === 'allServices')
    .flatMap(({ auditLogConfigs }) => auditLogConfigs ?? [])
    .map(({ logType }) => String(logType));
  return logTypes.filter((logType) => !on.includes(logType));
};

/** Switches all Data Access audit logs of Cloud KMS on. Bindings and other services stay as they are. @throws CliError */
export async function switchOnAuditLogs(google: GoogleClients, project: string): Promise<void> {
  const resource = `projects/${project}`;
  for (let tries = 1; ; tries += 1) {
    const policy = await readPolicy(google, project);
    const missing = missingIn(policy);
    if (missing.length === 0) return;
    const configs = policy.auditConfigs ?? [];
    const own = configs.find(({ service }) => service === SERVICE);
    const auditLogConfigs = [
      ...(own?.auditLogConfigs ?? []),
      ...logTypes.filter((logType) => missing.includes(logType)).map((logType) => ({ logType })),
    ];
    const auditConfigs = [
      ...configs.filter((config) => config !== own),
      { service: SERVICE, auditLogConfigs },
    ];
    try {
      await google.projects.setIamPolicy(
        {
          resource,
          policy: { ...policy, auditConfigs },
          // Bindings are not part of the update, so no grant can be lost.
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

/** Returns the lines that do the same with `gcloud`, which has no command for audit configurations alone. */
export function auditLogLines(project: string, missing: readonly string[]): string[] {
  const config = { service: SERVICE, auditLogConfigs: missing.map((logType) => ({ logType })) };
  return [
    `gcloud projects get-iam-policy ${project} --format=json > policy.json`,
    `jq '.auditConfigs += [${JSON.stringify(config)}]' policy.json > new-policy.json`,
    `gcloud projects set-iam-policy ${project} new-policy.json`,
  ];
}
