import type { KeyManagementServiceClient } from '@google-cloud/kms';

interface PolicyLike {
  readonly bindings?: readonly { readonly role: string; readonly members: readonly string[] }[];
  readonly etag?: unknown;
}

// The types of the client's IAM methods are message classes that require more fields than the client needs.
export function iam(client: KeyManagementServiceClient) {
  const call = (
    method: 'getIamPolicy' | 'setIamPolicy' | 'testIamPermissions',
    request: object,
  ): Promise<any> => Reflect.apply(client[method], client, [request]);
  return {
    getPolicy: (resource: string) => call('getIamPolicy', { resource }),
    setPolicy: (resource: string, policy: PolicyLike) => call('setIamPolicy', { resource, policy }),
    testPermissions: (resource: string, permissions: string[]) =>
      call('testIamPermissions', { resource, permissions }),
  };
}
