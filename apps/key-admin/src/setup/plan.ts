import { CliError } from '../cli/cli-error.ts';
import { auditLogLines, planAuditLogs, switchOnAuditLogs } from '../google/audit-logs.ts';
import type { GoogleClients } from '../google/client.ts';
import { ALREADY_EXISTS, grpcCode } from '../google/errors.ts';
import { gcloud, grantLine } from '../google/gcloud.ts';
import { optional, requireLocation } from '../google/locations.ts';
import { addBinding, hasBinding, readPolicy, rolesOf } from '../google/policies.ts';
import { keySteps } from './key-steps.ts';
import type { Step } from './step.ts';
import { keyName, ringName, type KeySpec } from './key-spec.ts';

/** Returns the steps that are necessary in the project's current state, without changing anything. @throws CliError */
export async function plan(google: GoogleClients, spec: KeySpec, now: Date): Promise<readonly Step[]> {
  await requireLocation(google, spec.project, spec.location, spec.protectionLevel === 'HSM');
  const ring = await ringStep(google, spec);
  const [key, ...changes] = await keySteps(google, spec, now, ring.status === 'exists');
  return [
    ring,
    ...(key ? [key] : []),
    ...changes,
    ...(await grantSteps(google, spec, key?.status === 'exists')),
    ...(spec.auditLogs ? [await auditStep(google, spec.project)] : []),
  ];
}

async function ringStep({ kms, read, change }: GoogleClients, spec: KeySpec): Promise<Step> {
  const { project, location, ring } = spec;
  const purpose = { resource: `projects/${project}`, role: 'roles/cloudkms.admin' };
  const found = await optional(read(purpose, (options) => kms.getKeyRing({ name: ringName(spec) }, options)));
  return {
    title: `key ring ${ring} in ${location}`,
    status: found === undefined ? 'to do' : 'exists',
    gcloud: [gcloud('kms keyrings create', ring, `--location=${location}`, `--project=${project}`)],
    run: () =>
      change(purpose, async (options) => {
        await unlessExists(
          kms.createKeyRing(
            { parent: `projects/${project}/locations/${location}`, keyRingId: ring, keyRing: {} },
            options,
          ),
        );
      }),
  };
}

/**
 * Ignores the error that the resource exists: another administrator, or a call whose response was lost, may have
 * created it.
 */
async function unlessExists(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (grpcCode(error) !== ALREADY_EXISTS) throw error;
  }
}

async function grantSteps(google: GoogleClients, spec: KeySpec, exists: boolean): Promise<Step[]> {
  const key = keyName(spec);
  const policy = exists && spec.grants.length > 0 ? await readPolicy(google, key) : {};
  return spec.grants.map(({ who, member, role }): Step => {
    const wanted = spec.grants.filter((grant) => grant.member === member).map((grant) => grant.role);
    const more = rolesOf(policy, member).filter((one) => !wanted.includes(one));
    return {
      title: `${role} on the key for ${who} ${member}`,
      status: hasBinding(policy, member, role) ? 'exists' : 'to do',
      gcloud: [grantLine(key, member, role)],
      run: () => addBinding(google, key, member, role),
      ...(more.length > 0 && { note: `this member also has ${more.join(', ')}, which ${who} does not need` }),
    };
  });
}

async function auditStep(google: GoogleClients, project: string): Promise<Step> {
  const title = `Data Access audit logs of Cloud KMS in the project ${project}`;
  try {
    const { isDone, lines } = await planAuditLogs(google, project);
    const run = () => switchOnAuditLogs(google, project);
    return { title, status: isDone ? 'exists' : 'to do', gcloud: lines, run };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return {
      title,
      status: 'not possible',
      gcloud: auditLogLines(project),
      note: `${error.message}. Ask an administrator of the project to run these commands`,
    };
  }
}
