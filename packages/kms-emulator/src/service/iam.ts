import { invalidArgument, unimplemented } from '../model/errors.ts';
import { etagOf, type Binding, type Policy } from '../model/iam/policies.ts';
import { isPermission } from '../model/iam/permissions.ts';
import { tryCryptoKey, tryKeyRing } from '../model/names.ts';
import { requirePermission, type Context, type Handler } from './context.ts';
import { text } from './fields.ts';

/** The part of google.iam.v1.Policy that the emulator implements. */
export interface PolicyMessage {
  readonly version?: number;
  readonly bindings?: readonly (Partial<Binding> & { readonly condition?: object | null })[] | null;
  readonly auditConfigs?: readonly AuditConfigMessage[] | null;
  readonly etag?: Uint8Array | null;
}

interface AuditConfigMessage {
  readonly service?: string | null;
  readonly auditLogConfigs?:
    | readonly {
        readonly logType?: string | number | null;
        readonly exemptedMembers?: readonly string[] | null;
      }[]
    | null;
}

export interface ResourceRequest {
  readonly resource?: string | null;
}

export interface SetPolicyRequest extends ResourceRequest {
  readonly policy?: PolicyMessage | null;
}

export interface TestPermissionsRequest extends ResourceRequest {
  readonly permissions?: readonly string[] | null;
}

export const getIamPolicy: Handler<ResourceRequest, PolicyMessage> = (request, context) => {
  const { name, kind } = parseResource(text(request.resource));
  requirePermission(context, `cloudkms.${kind}.getIamPolicy`, name);
  requireResource(context, name, kind);
  return policyMessage(context.state.policies.get(name));
};

export const setIamPolicy: Handler<SetPolicyRequest, PolicyMessage> = (request, context) => {
  const { name, kind } = parseResource(text(request.resource));
  if ((request.policy?.auditConfigs ?? []).length > 0)
    throw invalidArgument('Audit configurations are not supported for this resource, only for projects.');
  const bindings = bindingsOf(request.policy);
  requirePermission(context, `cloudkms.${kind}.setIamPolicy`, name);
  requireResource(context, name, kind);
  return replacePolicy(context, name, { bindings }, request.policy?.etag);
};

/**
 * Returns which of the requested permissions the caller has. The caller has no permissions on a resource that
 * does not exist (iam_policy.proto).
 */
export const testIamPermissions: Handler<TestPermissionsRequest, { permissions: string[] }> = (
  request,
  context,
) => {
  const { name } = parseResource(text(request.resource));
  const permissions = checkPermissions(request, 'cloudkms.');
  return { permissions: context.state.keys.has(name) ? granted(context, name, permissions) : [] };
};

/** Returns the bindings of a request. @throws KmsError UNIMPLEMENTED for conditions */
export const bindingsOf = (policy: PolicyMessage | null | undefined): Binding[] =>
  (policy?.bindings ?? []).map(({ role, members, condition }) => {
    if (condition !== null && condition !== undefined)
      throw unimplemented('The emulator has no IAM conditions.');
    return { role: text(role), members: members ?? [] };
  });

export function replacePolicy(
  context: Context,
  resource: string,
  policy: Policy,
  etag: Uint8Array | null | undefined,
): PolicyMessage {
  const delay = context.conditions.propagation.iam * 1000;
  return policyMessage(context.state.policies.set(resource, policy, context.now, delay, etag ?? undefined));
}

/**
 * Returns the permissions of a request.
 * @throws KmsError INVALID_ARGUMENT if one of them is not a permission for this kind of resource
 */
export function checkPermissions({ permissions }: TestPermissionsRequest, prefix: string): readonly string[] {
  for (const permission of permissions ?? []) {
    if (!isPermission(permission) || !permission.startsWith(prefix))
      throw invalidArgument(`Permission ${permission} is not valid for this resource.`);
  }
  return permissions ?? [];
}

export const granted = (
  { state, caller, now }: Context,
  resource: string,
  permissions: readonly string[],
): string[] => permissions.filter((permission) => state.policies.allows(caller, permission, resource, now));

type ResourceKind = 'keyRings' | 'cryptoKeys';

function parseResource(name: string): { readonly name: string; readonly kind: ResourceKind } {
  if (tryCryptoKey(name) !== undefined) return { name, kind: 'cryptoKeys' };
  if (tryKeyRing(name) !== undefined) return { name, kind: 'keyRings' };
  throw invalidArgument(`Resource name '${name}' names neither a key ring nor a crypto key.`);
}

function requireResource({ state }: Context, name: string, kind: ResourceKind): void {
  if (kind === 'cryptoKeys') state.keys.cryptoKey(name);
  else state.keys.keyRing(name);
}

export const policyMessage = (policy: Policy): PolicyMessage => ({
  version: policy.bindings.length === 0 ? 0 : 1,
  bindings: policy.bindings,
  auditConfigs: policy.auditConfigs ?? [],
  etag: etagOf(policy),
});
