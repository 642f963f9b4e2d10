import { expect, it } from 'vitest';
import { refusalCode } from '../support/client.ts';
import { code, randomId, type Fixture } from './fixture.ts';
import { iam } from '../support/iam.ts';

/** Tests of IAM policies. They need only permissions that every caller who may run this suite has. */
export function iamTests(fixture: () => Fixture): void {
  it('returns which of the requested permissions the caller has', async () => {
    const key = await fixture().createEmptyKey();
    const permissions = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeyVersions.useToEncrypt'];
    const [answer] = await iam(fixture().client).testPermissions(key.name, permissions);
    expect(answer.permissions).toEqual(expect.arrayContaining(['cloudkms.cryptoKeys.get']));
    expect(permissions).toEqual(expect.arrayContaining([...answer.permissions]));
  });

  it('returns no permission on a resource that does not exist', async () => {
    const missing = `${fixture().ring}/cryptoKeys/${randomId()}`;
    const [answer] = await iam(fixture().client).testPermissions(missing, ['cloudkms.cryptoKeys.get']);
    expect(answer.permissions ?? []).toEqual([]);
  });

  it('gives a new key an empty policy, and refuses to replace a policy if the request contains another etag', async () => {
    const key = await fixture().createEmptyKey();
    const { getPolicy, setPolicy } = iam(fixture().client);
    const [policy] = await getPolicy(key.name);
    expect(policy.bindings).toEqual([]);
    const stale = { bindings: [], etag: Buffer.from('stale!!!') };
    expect(await refusalCode(setPolicy(key.name, stale))).toBe(code.ABORTED);
    const [same] = await setPolicy(key.name, { bindings: [], etag: policy.etag });
    expect(same.bindings).toEqual([]);
  });

  it('refuses unknown roles and members without a type', async () => {
    const key = await fixture().createEmptyKey();
    const { setPolicy } = iam(fixture().client);
    const wrong = [
      { role: 'roles/cloudkms.nothing', members: ['allAuthenticatedUsers'] },
      { role: 'roles/cloudkms.viewer', members: ['worker@example.com'] },
    ];
    for (const binding of wrong) {
      expect(await refusalCode(setPolicy(key.name, { bindings: [binding] }))).toBe(code.INVALID_ARGUMENT);
    }
  });
}
