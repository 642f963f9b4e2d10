import { invalidArgument, unimplemented } from '../model/errors.ts';
import { etagOf, type Binding, type Policy } from '../model/iam/policies.ts';
import { isPermission } from '../model/iam/roles.ts';
import { tryCryptoKey, tryKeyRing } from '../model/names.ts';
import { requirePermission, type Context, type Handler } from './context.ts';
import { text } from './fields.ts';

/** The part of google.iam.v1.Policy that the emulator implements. */
interface PolicyMessage {
  readonly version?: number;
  readonly bindings?: readonly (Partial<Binding> & { readonly condition?: object | null })[] | null;
  readonly auditConfigs?: readonly object[] | null;
  readonly etag?: Uint8Array | null;
}

interface ResourceRequest {
  readonly resource?: string | null;
}

export const getIamPolicy: Handler<ResourceRequest, PolicyMessage> = (request, context) => {
  const { name, kind } = parseResource(text(request.resource));
  requirePermission(context, `cloudkms.${kind}.getIamPolicy`, name);
  requireResource(context, name, kind);
  return policyMessage(context.state.policies.get(name));
};

export const setIamPolicy: Handler<
  ResourceRequest & { readonly policy?: PolicyMessage | null },
  PolicyMessage
> = (request, context) => {
  const { name, kind } = parseResource(text(request.resource));
  const { bindings, auditConfigs, etag } = request.policy ?? {};
  if ((auditConfigs ?? []).length > 0) throw unimplemented('The emulator has no audit configurations.');
  const wanted = (bindings ?? []).map(({ role, members, condition }) => {
    if (condition !== null && condition !== undefined)
      throw unimplemented('The emulator has no IAM conditions.');
    return { role: text(role), members: members ?? [] };
  });
  requirePermission(context, `cloudkms.${kind}.setIamPolicy`, name);
  requireResource(context, name, kind);
  const delay = context.conditions.propagation.iam * 1000;
  return policyMessage(
    context.state.policies.set(name, { bindings: wanted }, context.now, delay, etag ?? undefined),
  );
};

/** Returns which of the permissions the caller has; none on a resource that does not exist (iam_policy.proto). */
export const testIamPermissions: Handler<
  ResourceRequest & { readonly permissions?: readonly string[] | null },
  { permissions: string[] }
> = (request, context) => {
  const { name } = parseResource(text(request.resource));
  const permissions = request.permissions ?? [];
  for (const permission of permissions) {
    if (!isPermission(permission))
      throw invalidArgument(`Permission ${permission} is not valid for this resource.`);
  }
  const { state, caller, now } = context;
  if (!state.keys.has(name)) return { permissions: [] };
  return {
    permissions: permissions.filter((permission) => state.policies.allows(caller, permission, name, now)),
  };
};

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

const policyMessage = (policy: Policy): PolicyMessage => ({
  version: policy.bindings.length === 0 ? 0 : 1,
  bindings: policy.bindings,
  etag: etagOf(policy),
});
