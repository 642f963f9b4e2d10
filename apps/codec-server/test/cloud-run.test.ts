import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codecServerEnvironment, parseConfig } from '@temporal-kms/config';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../../..');
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8');
const service = async (app: string): Promise<any> => parse(await read(`deploy/cloud-run/${app}.yaml`));
const schema = JSON.parse(await readFile(join(import.meta.dirname, 'vectors/cloud-run.v1.json'), 'utf8'));
const apps = ['codec-server', 'dashboard'];

/**
 * Returns the environment variables of the only container. If a value comes from a secret, returns the
 * secret's name.
 */
const variables = ({ spec }: any): Record<string, string> =>
  Object.fromEntries(
    spec.template.spec.containers[0].env.map(({ name, value, valueFrom }: any) => [
      name,
      value ?? valueFrom.secretKeyRef.name,
    ]),
  );

describe('the Cloud Run configuration', () => {
  it.for(apps)('contains only fields that Cloud Run’s API accepts: %s', async (app) => {
    const { annotations, ...definitions } = schema;
    const validate = new Ajv2020({ strict: false }).compile(definitions);
    const resource = await service(app);
    expect([validate(resource), validate.errors]).toEqual([true, null]);
    expect([resource.apiVersion, resource.kind, resource.metadata.name]).toEqual([
      'serving.knative.dev/v1',
      'Service',
      app,
    ]);
    for (const name of Object.keys(resource.metadata.annotations))
      expect(annotations[name], name).toContain('Service');
    for (const name of Object.keys(resource.spec.template.metadata.annotations))
      expect(annotations[name], name).toContain('Revision');
    const unknown = structuredClone(resource);
    unknown.spec.template.spec.containers[0].securityContext = { runAsUser: 0 };
    expect(validate(unknown)).toBe(false);
  });

  it.for(apps)(
    'sets probes, limits, a service account with few rights, and no public address: %s',
    async (app) => {
      const { metadata, spec } = await service(app);
      expect(metadata.annotations).toMatchObject({
        'run.googleapis.com/ingress': 'internal-and-cloud-load-balancing',
        'run.googleapis.com/default-url-disabled': 'true',
      });
      const { template } = spec;
      expect(Number(template.metadata.annotations['autoscaling.knative.dev/maxScale'])).toBeGreaterThan(1);
      expect(template.spec.serviceAccountName).toMatch(new RegExp(`^temporal-${app}@`));
      expect(template.spec.containerConcurrency).toBeGreaterThan(0);
      const [container] = template.spec.containers;
      expect(Object.keys(container.resources.limits)).toEqual(['cpu', 'memory']);
      for (const probe of ['startupProbe', 'livenessProbe']) {
        const { httpGet, periodSeconds, timeoutSeconds } = container[probe];
        expect(httpGet).toEqual({ path: '/healthz', port: container.ports[0].containerPort });
        // Cloud Run rejects a timeout that is not shorter than the period.
        expect(timeoutSeconds).toBeLessThan(periodSeconds);
      }
      // Cloud Run has no field for a container's user, so the image must set the user.
      const stages = (await read('deploy/docker/Dockerfile')).split(/^(?=FROM )/m);
      const stage = (name: string) =>
        stages.find((text) => text.split('\n')[0]?.endsWith(` AS ${name}`)) ?? '';
      const [, base = ''] = /^FROM (\S+)/.exec(stage(app)) ?? [];
      const users = `${stage(base)}${stage(app)}`.match(/^USER .*$/gm);
      expect(users?.at(-1)).toBe('USER 65532:65532');
    },
  );

  it('lets the codec server start, and makes it require tokens', async () => {
    const resource = await service('codec-server');
    const values = variables(resource);
    const known = Object.keys(codecServerEnvironment.variables);
    expect(known).toEqual(expect.arrayContaining(Object.keys(values)));
    const config = parseConfig(codecServerEnvironment, values);
    const { containers, volumes } = resource.spec.template.spec;
    expect(config).toMatchObject({ host: '0.0.0.0', port: containers[0].ports[0].containerPort });
    const [mount] = containers[0].volumeMounts;
    const { secret } = volumes.find(({ name }: { name: string }) => name === mount.name);
    expect(config.policyFile).toBe(join(mount.mountPath, secret.items[0].path));
    expect(dirname(config.policyFile ?? '')).toBe(mount.mountPath);
    // The secret's version is fixed, so that a revision does not change later.
    expect([
      secret.items[0].key,
      ...containers[0].env.flatMap(({ valueFrom }: any) => valueFrom?.secretKeyRef.key ?? []),
    ]).toEqual(['1', '1']);
  });

  it('contains commented-out variables that make the codec server serve the dashboard from its image', async () => {
    const comment = / {12}# (?=- \{ name: CODEC_DASHBOARD_)/g;
    const text = await read('deploy/cloud-run/codec-server.yaml');
    expect(text.match(comment)).toHaveLength(2);
    const resource = parse(text.replaceAll(comment, ' '.repeat(12)));
    const { annotations: _, ...definitions } = schema;
    expect(new Ajv2020({ strict: false }).compile(definitions)(resource)).toBe(true);
    const { dashboard } = parseConfig(codecServerEnvironment, variables(resource));
    expect(dashboard).toMatchObject({ temporalUiUrl: 'https://temporal.example.com' });
    const [codecServer] =
      /AS codec-server\n(?:(?!^FROM ).*\n)*/m.exec(await read('deploy/docker/Dockerfile')) ?? [];
    expect(codecServer).toContain(`/apps/decrypt-ui/dist/ ${dashboard?.folder}/`);
  });

  it('contains no secrets in variables', async () => {
    for (const app of apps) {
      const { env } = (await service(app)).spec.template.spec.containers[0];
      for (const { name, valueFrom } of env)
        if (codecServerEnvironment.variables[name]?.secret)
          expect(valueFrom?.secretKeyRef, name).toBeDefined();
    }
  });

  it('lets the dashboard call the codec server from a browser', async () => {
    const codec = parseConfig(codecServerEnvironment, variables(await service('codec-server')));
    const dashboard = variables(await service('dashboard'));
    const caddyfile = await read('deploy/docker/Caddyfile');
    for (const name of Object.keys(dashboard)) expect(caddyfile).toContain(`{$${name}`);
    expect(codec.allowedHosts).toEqual([new URL(dashboard['CODEC_URL'] ?? '').host]);
    const docs = await read('docs/deploy.md');
    const [, origin = ''] = /dashboard at `(https:[^`]+)`/.exec(docs) ?? [];
    expect(codec.corsOrigins).toContain(origin);
    expect(codec.corsOrigins).toContain(dashboard['TEMPORAL_UI_URL']);
  });
});
