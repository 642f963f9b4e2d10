import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findTerraform, type Plan, type Terraform } from '@temporal-kms/scripts/terraform';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditLogLines } from '../src/google/audit-logs.ts';
import { keysFileOf } from '../src/setup/files.ts';
import { grantsFor } from '../src/setup/grants.ts';
import { temporaryFolder } from './support/cli.ts';

const deploy = join(import.meta.dirname, '../../../deploy');
const folder = join(deploy, 'terraform');
const monitoring = join(deploy, 'monitoring/google');
const namespaces = ['payments.a1b2c', "Ana's orders"];
const required = { project_id: 'acme-prod', location: 'us-east1', namespaces };

let found: Terraform | undefined;
let terraform: Terraform;
beforeAll(async () => {
  found = await findTerraform();
}, 1_200_000);
beforeEach(({ skip }) => {
  if (found === undefined) return skip('there is no Go');
  terraform = found;
});
afterAll(() => found?.close());

const resources = (plan: Plan, type: string) =>
  plan.planned_values.root_module.resources.filter((resource) => resource.type === type);
const values = (plan: Plan, type: string): any[] => resources(plan, type).map((resource) => resource.values);

/** Returns a plan's values as Google's API writes them: camelCase names, and no unset fields. */
function asInApi(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asInApi);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== null && field?.length !== 0);
  return Object.fromEntries(entries.map(([name, field]) => [camelCase(name), asInApi(field)]));
}

const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Converts blocks to lists, because Terraform represents even a single block as a list. */
function asInTerraform(value: any, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => asInTerraform(item));
  if (typeof value !== 'object' || value === null) return value;
  const object = Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, asInTerraform(field, key)]),
  );
  return name === '' || name === 'labelExtractors' ? object : [object];
}

/** Returns the resources in the files of deploy/monitoring/google whose names end with `kind`. */
async function expected(kind: string, more: object): Promise<Record<string, unknown>> {
  const names = (await readdir(monitoring)).filter((name) => name.endsWith(kind));
  const texts = await Promise.all(names.map((name) => readFile(join(monitoring, name), 'utf8')));
  return Object.fromEntries(
    names.map((name, index) => [
      name.replace(kind, ''),
      asInTerraform({ project: 'acme-prod', ...more, ...JSON.parse(texts[index]!) }),
    ]),
  );
}

const account = (app: string): string => `temporal-${app}@acme-prod.iam.gserviceaccount.com`;

describe('the Terraform module', () => {
  it('is formatted, and is valid according to the google provider’s schema', async () => {
    expect(await terraform.run(folder, ['fmt', '-check', '-diff'])).toEqual({ exitCode: 0, output: '' });
    const { exitCode, output } = await terraform.run(folder, ['validate', '-no-color']);
    expect(exitCode, output).toBe(0);
  });

  it.for([
    ['an attribute that the provider does not have', 'purpose  ', 'purposes  '],
    ['a block that the provider does not have', 'version_template {', 'version_templates {'],
    ['a missing attribute', 'service            = "cloudkms.googleapis.com"', ''],
  ] as const)('would be invalid with %s', async ([, text, other]) => {
    const copy = await temporaryFolder();
    await cp(folder, copy, { recursive: true });
    const main = await readFile(join(copy, 'main.tf'), 'utf8');
    expect(main).toContain(text);
    await writeFile(join(copy, 'main.tf'), main.replace(text, other));
    const { exitCode, output } = await terraform.run(copy, ['validate', '-no-color']);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/Unsupported (argument|block type)|Missing required argument/);
  });

  it('creates a key that rotates every 90 days and that Terraform never destroys', async () => {
    const plan = await terraform.plan(folder, required);
    expect(values(plan, 'google_kms_crypto_key')).toMatchObject([
      {
        purpose: 'ENCRYPT_DECRYPT',
        rotation_period: `${90 * 86_400}s`,
        version_template: [{ algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protection_level: 'SOFTWARE' }],
      },
    ]);
    const main = await readFile(join(folder, 'main.tf'), 'utf8');
    for (const type of ['google_kms_key_ring', 'google_kms_crypto_key']) {
      const [block] = new RegExp(`^resource "${type}" .*?^}$`, 'ms').exec(main) ?? [];
      expect(block).toContain('lifecycle {\n    prevent_destroy = true\n  }');
    }
  });

  const choices = [true, false].flatMap((keyStates) =>
    [true, false].map((encode) => ({ keyStates, encode })),
  );
  it.for(choices)('grants the roles that temporal-kms setup grants: %j', async (choice) => {
    const plan = await terraform.plan(folder, {
      ...required,
      key_states: choice.keyStates,
      encode: choice.encode,
    });
    const granted = grantsFor({
      worker: [account('worker')],
      starter: [account('starter')],
      codecServer: [account('codec-server')],
      ...choice,
    });
    const planned = resources(plan, 'google_kms_crypto_key_iam_member').map(
      ({ index, values: { role } }) => `${String(index).split(' ')[0]} ${role}`,
    );
    const setUp = granted.map(({ member, role }) => `${/temporal-(.*)@/.exec(member)?.[1]} ${role}`);
    expect(planned.toSorted()).toEqual([...setUp, 'scan roles/cloudkms.viewer'].toSorted());
    // No other resource grants a role.
    const types = new Set(plan.planned_values.root_module.resources.map(({ type }) => type));
    expect([...types].filter((type) => type.includes('iam')).toSorted()).toEqual([
      'google_kms_crypto_key_iam_member',
      'google_project_iam_audit_config',
    ]);
  });

  it('switches on the audit logs that temporal-kms setup switches on, unless audit_logs is false', async () => {
    const [config] = values(await terraform.plan(folder, required), 'google_project_iam_audit_config');
    const lines = auditLogLines('acme-prod').join('\n');
    const [, json = ''] = /\+ \[(\{.*\})\]/.exec(lines) ?? [];
    expect(asInApi({ service: config.service, auditLogConfigs: config.audit_log_config })).toEqual(
      JSON.parse(json),
    );
    const without = await terraform.plan(folder, { ...required, audit_logs: false });
    expect(values(without, 'google_project_iam_audit_config')).toEqual([]);
  });

  it('creates the alert policies and metrics in deploy/monitoring/google', async () => {
    const channel = 'projects/acme-prod/notificationChannels/1';
    const plan = await terraform.plan(folder, { ...required, notification_channels: [channel] });
    const planned = (type: string) =>
      Object.fromEntries(resources(plan, type).map((resource) => [resource.index, asInApi(resource.values)]));
    const policies = await expected('.policy.json', { notificationChannels: [channel] });
    expect(Object.keys(policies).length).toBeGreaterThan(3);
    expect(planned('google_monitoring_alert_policy')).toEqual(policies);
    const metrics = await expected('.metric.json', {});
    expect(Object.keys(metrics)).toEqual(['kms-calls']);
    expect(planned('google_logging_metric')).toEqual(metrics);
  });

  it('lets the Helm chart’s pods act as service accounts only on request', async () => {
    const type = 'google_service_account_iam_member';
    expect(values(await terraform.plan(folder, required), type)).toEqual([]);
    const workload_identity = { namespace: 'codec', release: 'tk' };
    const plan = await terraform.plan(folder, { ...required, workload_identity });
    expect(values(plan, type).map((value) => [value.role, value.member])).toEqual(
      ['codec-server', 'scan', 'worker'].map((app) => [
        'roles/iam.workloadIdentityUser',
        `serviceAccount:acme-prod.svc.id.goog[codec/tk-${app}]`,
      ]),
    );
    const helpers = await readFile(join(deploy, 'helm/temporal-kms/templates/_helpers.tpl'), 'utf8');
    expect(helpers).toContain('serviceAccountName: {{ .root.Release.Name }}-{{ .name }}');
  });

  it('restricts Cloud KMS to a service perimeter only on request, and at first only logs violations', async () => {
    const type = 'google_access_context_manager_service_perimeter';
    expect(values(await terraform.plan(folder, required), type)).toEqual([]);
    const service_perimeter = { access_policy: '1', project_number: '2' };
    const restricted = [{ resources: ['projects/2'], restrictedServices: ['cloudkms.googleapis.com'] }];
    const dry = await terraform.plan(folder, { ...required, service_perimeter });
    const [planned] = values(dry, type).map((value) => asInApi(value));
    expect(planned).toMatchObject({ useExplicitDryRunSpec: true, spec: restricted });
    expect(planned).not.toHaveProperty('status');
    const enforced = await terraform.plan(folder, {
      ...required,
      service_perimeter: { ...service_perimeter, dry_run: false },
    });
    expect(values(enforced, type).map((value) => asInApi(value))).toMatchObject([{ status: restricted }]);
  });

  it('outputs the keys file that temporal-kms setup writes, also as a chart value', async () => {
    const { output_changes: outputs } = await terraform.plan(folder, required);
    const key = 'projects/acme-prod/locations/us-east1/keyRings/temporal-keys/cryptoKeys/workflow-encryption';
    const file: string = outputs['keys_file']?.after;
    const [, ...lines] = keysFileOf(key, namespaces).split('\n');
    expect(file.split('\n').slice(1)).toEqual(lines);
    const chartValues = outputs['helm_values']?.after;
    expect(chartValues).toMatchObject({ keys: file });
    const chart = await readFile(join(deploy, 'helm/temporal-kms/values.yaml'), 'utf8');
    for (const name of Object.keys(chartValues)) expect(chart).toMatch(new RegExp(`^${name}:`, 'm'));
    expect(chartValues).not.toHaveProperty('env');
  });

  it.for([
    { project_id: 'Acme' },
    { location: 'US East' },
    { namespaces: [] },
    { namespaces: ['payments', 'payments'] },
    { namespaces: ['pay*'] },
    { namespaces: ['payments\n...'] },
    { key_ring: '' },
    { key: 'a/b' },
    { rotation_days: 0.5 },
    { rotation_days: 0 },
    { protection_level: 'EXTERNAL' },
    { account_prefix: 'a'.repeat(18) },
    { notification_channels: ['mail'] },
    { service_perimeter: { access_policy: 'acme', project_number: '2' } },
  ])('refuses %j', async (variables) => {
    await expect(terraform.plan(folder, { ...required, ...variables })).rejects.toThrow(
      /Invalid value for variable/,
    );
  });
});
