import { IamProtos } from 'google-gax';
import type { GoogleClients } from './client.ts';

/** Returns which permissions the caller has on a crypto key or key ring. This call itself needs no permission. */
export async function testPermissions(
  { kms, read }: GoogleClients,
  resource: string,
  permissions: readonly string[],
): Promise<ReadonlySet<string>> {
  const request = IamProtos.google.iam.v1.TestIamPermissionsRequest.create({
    resource,
    permissions: [...permissions],
  });
  const [response] = await read({ resource, role: 'roles/cloudkms.viewer' }, (options) =>
    kms.testIamPermissions(request, options),
  );
  return new Set(response.permissions);
}
