import { invalidArgument } from '../model/errors.ts';
import { type AuditConfig, logTypes } from '../model/iam/policies.ts';
import { requirePermission, type Handler } from './context.ts';
import { enumName, text } from './fields.ts';
import {
  bindingsOf,
  checkPermissions,
  granted,
  policyMessage,
  replacePolicy,
  type PolicyMessage,
  type ResourceRequest,
  type SetPolicyRequest,
  type TestPermissionsRequest,
} from './iam.ts';

/*
 * The policies of projects in Resource Manager (google.cloud.resourcemanager.v3.Projects). They contain the
 * audit configuration, which turns on the Data Access audit logs of Cloud KMS. In the emulator, every project
 * exists.
 */

export const getIamPolicy: Handler<ResourceRequest, PolicyMessage> = (request, context) => {
  const name = parseProject(request);
  requirePermission(context, 'resourcemanager.projects.getIamPolicy', name);
  return policyMessage(context.state.policies.get(name));
};

/** Replaces the fields that the mask names or, without a mask, the bindings (iam_policy.proto). */
export const setIamPolicy: Handler<
  SetPolicyRequest & { readonly updateMask?: { readonly paths?: readonly string[] | null } | null },
  PolicyMessage
> = (request, context) => {
  const name = parseProject(request);
  const paths = request.updateMask?.paths ?? [];
  const wanted = paths.length === 0 ? ['bindings', 'etag'] : paths;
  const wrong = wanted.find((path) => !['bindings', 'etag', 'audit_configs', 'auditConfigs'].includes(path));
  if (wrong !== undefined) throw invalidArgument(`The field ${wrong} of a Policy cannot be updated.`);
  requirePermission(context, 'resourcemanager.projects.setIamPolicy', name);
  const current = context.state.policies.get(name);
  const auditConfigs = wanted.some((path) => path.startsWith('audit'))
    ? auditConfigsOf(request.policy)
    : (current.auditConfigs ?? []);
  const bindings = wanted.includes('bindings') ? bindingsOf(request.policy) : current.bindings;
  return replacePolicy(context, name, { bindings, auditConfigs }, request.policy?.etag);
};

export const testIamPermissions: Handler<TestPermissionsRequest, { permissions: string[] }> = (
  request,
  context,
) => ({ permissions: granted(context, parseProject(request), checkPermissions(request, '')) });

function parseProject({ resource }: ResourceRequest): string {
  const name = text(resource);
  if (/^projects\/[^/]+$/.test(name)) return name;
  throw invalidArgument(`Resource name '${name}' does not match the pattern 'projects/*'.`);
}

const auditConfigsOf = (policy: PolicyMessage | null | undefined): AuditConfig[] =>
  (policy?.auditConfigs ?? []).map(({ service, auditLogConfigs }) => {
    if (text(service) === '') throw invalidArgument('An audit configuration must name a service.');
    return {
      service: text(service),
      auditLogConfigs: (auditLogConfigs ?? []).map((config) => {
        const logType = logTypes.find((one) => one === enumName(config.logType));
        if (logType === undefined)
          throw invalidArgument('The log type of an audit configuration is unknown.');
        return { logType, exemptedMembers: config.exemptedMembers ?? [] };
      }),
    };
  });
