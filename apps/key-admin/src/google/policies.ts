import { IamProtos } from 'google-gax';
import type { GoogleClients } from './client.ts';
import { ABORTED, googleError, grpcCode } from './errors.ts';

const iam = IamProtos.google.iam.v1;
type Policy = IamProtos.google.iam.v1.IPolicy;

/** The lowest policy version in which bindings contain their conditions. */
const WITH_CONDITIONS = 3;
const MAX_TRIES = 5;

/** Returns the policy of a crypto key. @throws CliError */
export async function readPolicy({ kms, read }: GoogleClients, key: string): Promise<Policy> {
  const request = iam.GetIamPolicyRequest.create({
    resource: key,
    options: { requestedPolicyVersion: WITH_CONDITIONS },
  });
  const [policy] = await read({ resource: key, role: 'roles/cloudkms.admin' }, (options) =>
    kms.getIamPolicy(request, options),
  );
  return policy;
}

/** Whether a policy unconditionally grants a role to a member. */
export const hasBinding = ({ bindings }: Policy, member: string, role: string): boolean =>
  (bindings ?? []).some(
    (binding) => binding.role === role && !binding.condition && binding.members?.includes(member),
  );

/** Returns the roles that a policy grants to a member. */
export const rolesOf = ({ bindings }: Policy, member: string): string[] =>
  (bindings ?? []).flatMap(({ role, members }) => (role && members?.includes(member) ? [role] : []));

/** Adds a binding to the policy of a crypto key, and keeps all other bindings. @throws CliError */
export async function addBinding(
  google: GoogleClients,
  key: string,
  member: string,
  role: string,
): Promise<void> {
  const { kms } = google;
  for (let tries = 1; ; tries += 1) {
    const policy = await readPolicy(google, key);
    if (hasBinding(policy, member, role)) return;
    const bindings = policy.bindings ?? [];
    const existing = bindings.find((binding) => binding.role === role && !binding.condition);
    const others = bindings.filter((binding) => binding !== existing);
    const request = iam.SetIamPolicyRequest.create({
      resource: key,
      policy: {
        version: bindings.some(({ condition }) => condition) ? WITH_CONDITIONS : 1,
        bindings: [...others, { role, members: [...(existing?.members ?? []), member] }],
        ...(policy.etag && { etag: policy.etag }),
      },
    });
    try {
      await kms.setIamPolicy(request, { timeout: 10_000, retry: null });
      return;
    } catch (error) {
      // Another administrator has changed the policy since it was read.
      if (grpcCode(error) === ABORTED && tries < MAX_TRIES) continue;
      throw googleError(error, { resource: key, role: 'roles/cloudkms.admin' });
    }
  }
}
