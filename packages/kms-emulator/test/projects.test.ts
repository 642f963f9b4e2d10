import { ProjectsClient } from '@google-cloud/resource-manager';
import { credentials } from '@grpc/grpc-js';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEmulator, type Emulator } from '../src/index.ts';
import { code } from './conformance/fixture.ts';
import { refusal, refusalCode } from './support/client.ts';
import { afterwards, KEY, start, temporaryFolder } from './support/running.ts';

const EMAIL = 'admin@p.iam.gserviceaccount.com';
const resource = 'projects/p';
const auditConfigs = [
  {
    service: 'cloudkms.googleapis.com',
    auditLogConfigs: [{ logType: 'DATA_READ' as const, exemptedMembers: [] }],
  },
];
const binding = { role: 'roles/resourcemanager.projectIamAdmin', members: [`serviceAccount:${EMAIL}`] };

/** Connects Google's unmodified client for Resource Manager to an emulator. */
function projectsOf(address: string): ProjectsClient {
  const client = new ProjectsClient({
    apiEndpoint: '127.0.0.1',
    port: Number(address.split(':').at(-1)),
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: 'googleapis.com' },
  });
  afterwards(() => client.close());
  return client;
}

const startWithAdmin = async () => {
  const { emulator } = await start({ keys: [KEY], identities: { [EMAIL]: 0 } });
  return {
    emulator,
    owner: projectsOf(emulator.address),
    admin: projectsOf(emulator.identities[EMAIL] ?? ''),
  };
};

describe('project policies', () => {
  it('contain audit configurations, which can be changed without changing the bindings', async () => {
    const { emulator, owner } = await startWithAdmin();
    await emulator.setPolicy(resource, [binding]);
    const [policy] = await owner.getIamPolicy({ resource });
    expect(policy).toMatchObject({ bindings: [binding], auditConfigs: [] });
    const [changed] = await owner.setIamPolicy({
      resource,
      policy: { etag: policy.etag ?? '', auditConfigs },
      updateMask: { paths: ['audit_configs', 'etag'] },
    });
    expect(changed).toMatchObject({ bindings: [binding], auditConfigs });
    expect(changed.etag).not.toEqual(policy.etag);
    // Without a mask, only the bindings change.
    const [without] = await owner.setIamPolicy({ resource, policy: { bindings: [] } });
    expect(without).toMatchObject({ bindings: [], auditConfigs });
  });

  it('cannot be replaced if another caller has changed them since they were read', async () => {
    const { owner } = await startWithAdmin();
    const [policy] = await owner.getIamPolicy({ resource });
    await owner.setIamPolicy({ resource, policy: { bindings: [binding] } });
    const stale = owner.setIamPolicy({
      resource,
      policy: { etag: policy.etag ?? '', auditConfigs },
      updateMask: { paths: ['audit_configs', 'etag'] },
    });
    expect(await refusalCode(stale)).toBe(code.ABORTED);
  });

  it('require a role on the project', async () => {
    const { emulator, admin } = await startWithAdmin();
    expect(await refusal(admin.getIamPolicy({ resource }))).toMatchObject({
      code: code.PERMISSION_DENIED,
      details: expect.stringContaining('resourcemanager.projects.getIamPolicy'),
    });
    await emulator.setPolicy(resource, [binding]);
    await expect(admin.getIamPolicy({ resource })).resolves.toBeDefined();
    const asked = ['resourcemanager.projects.setIamPolicy', 'cloudkms.keyRings.create'];
    const [mine] = await admin.testIamPermissions({ resource, permissions: asked });
    expect(mine.permissions).toEqual(asked.slice(0, 1));
  });

  it('are kept in the data file', async () => {
    const folder = await temporaryFolder();
    const dataFile = join(folder, 'keys.json');
    const run = async (use: (emulator: Emulator, client: ProjectsClient) => Promise<void>) => {
      const emulator = await startEmulator({ dataFile });
      try {
        await use(emulator, projectsOf(emulator.address));
      } finally {
        await emulator.close();
      }
    };
    await run(async (_, client) => {
      await client.setIamPolicy({
        resource,
        policy: { auditConfigs },
        updateMask: { paths: ['audit_configs'] },
      });
    });
    await run(async (emulator) => {
      expect(emulator.policy(resource).auditConfigs).toEqual(auditConfigs);
      // The control API changes only bindings.
      await emulator.setPolicy(resource, [binding]);
      expect(emulator.policy(resource)).toEqual({ bindings: [binding], auditConfigs });
    });
  });

  it('cannot be read for a name that is not a project, and cannot be updated with unknown or invalid fields', async () => {
    const { owner } = await startWithAdmin();
    const calls = [
      owner.getIamPolicy({ resource: 'projects/p/locations/global' }),
      owner.setIamPolicy({ resource, policy: {}, updateMask: { paths: ['version'] } }),
      owner.setIamPolicy({
        resource,
        policy: { auditConfigs: [{ service: '' }] },
        updateMask: { paths: ['audit_configs'] },
      }),
    ];
    for (const call of calls) expect(await refusalCode(call)).toBe(code.INVALID_ARGUMENT);
  });
});
