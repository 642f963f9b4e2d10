import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectRoot } from '@temporal-kms/scripts/project';
import { scaleRules } from '@temporal-kms/scripts/scaled-rules';
import { alertCases } from './alert-cases.ts';

const folder = join(projectRoot, 'deploy/monitoring');
const chart = join(projectRoot, 'deploy/helm/temporal-kms');
const rulesFile = join(chart, 'alerts.yaml');
const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

async function alerts(): Promise<Alert[]> {
  const { groups }: { groups: { rules: (Alert | { readonly record: string })[] }[] } = parse(
    await readFile(rulesFile, 'utf8'),
  );
  return groups.flatMap(({ rules }) => rules).filter((rule) => 'alert' in rule);
}

/** Matches the names of metrics in PromQL expressions. */
const metricsIn = (text: string): Set<string> => new Set(text.match(/\bcodec_[a-z0-9_]+/g));

it('the runbook describes exactly the existing alerts', async () => {
  const runbook = await readFile(join(projectRoot, 'docs/runbook.md'), 'utf8');
  const sections = [...runbook.matchAll(/^### (.+)$/gm)].map(([, title = '']) => title);
  const rules = await alerts();
  expect(rules.map(({ alert }) => alert).toSorted()).toEqual(sections.toSorted());
  for (const { alert, annotations, labels } of rules) {
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    expect(annotations.summary).not.toBe('');
    expect(['critical', 'warning', 'info']).toContain(labels.severity);
  }
});

it('the alerts and the dashboard use only metrics that docs/metrics.md lists', async () => {
  const page = await readFile(join(projectRoot, 'docs/metrics.md'), 'utf8');
  const texts = [await readFile(rulesFile, 'utf8'), await read('grafana-dashboard.json')];
  for (const text of [...texts, JSON.stringify(alertCases)]) {
    const metrics = [...metricsIn(text)];
    expect(metrics.length).toBeGreaterThan(10);
    const unknown = metrics
      .filter((name) => !/^codec_(kms_calls|payloads_decrypted)$/.test(name))
      .filter((name) => !page.includes(`\`${name.replace(/_(bucket|count|sum)$/, '')}\``));
    expect(unknown).toEqual([]);
  }
});

it('promtool’s test cases cover each alert', async () => {
  const fired = alertCases.flatMap(({ firing }) => Object.values(firing).flat());
  const missing = (await alerts()).filter(({ alert }) => !fired.some((one) => one.startsWith(`${alert}{`)));
  expect(missing.map(({ alert }) => alert)).toEqual([]);
});

it('scaleRules shortens waits and time offsets in rules, but changes no threshold', async () => {
  const text = await readFile(rulesFile, 'utf8');
  const { groups }: { groups: { rules: Alert[] }[] } = JSON.parse(scaleRules(text, 60));
  const rules = groups.flatMap((group) => group.rules);
  const byName = new Map(rules.map((rule) => [rule.alert, rule]));
  expect(byName.get('KeyRotationOverdue')).toMatchObject({ for: '60000ms' });
  expect(byName.get('KeyRotationOverdue')!.expr).toMatch(/\[30000ms\](?!.*\[30m\]).*\+ 86400/s);
  expect(byName.get('KmsCallsUnusual')!.expr).toContain('[10080000ms] offset 60000ms');
  const unchanged = new Map((await alerts()).map((rule) => [rule.alert, rule]));
  expect(byName.get('PayloadsModified')).toEqual(unchanged.get('PayloadsModified'));
  const waiting = rules.filter((rule) => rule.for !== undefined || rule.alert === undefined);
  expect(waiting.length).toBeGreaterThan(10);
  for (const rule of waiting) expect(`${rule.for} ${rule.expr}`).not.toMatch(/(\[|offset |^)\d+[smhd]\b/);
});

it('the runbook documents each Cloud Monitoring alert policy', async () => {
  const runbook = await readFile(join(projectRoot, 'docs/runbook.md'), 'utf8');
  const files = (await readdir(join(folder, 'google'))).filter((file) => file.endsWith('.policy.json'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const { documentation, conditions } = JSON.parse(await read(`google/${file}`));
    const [, section] = /docs\/runbook\.md#(\w+)/.exec(documentation.content) ?? [];
    expect(runbook.toLowerCase(), file).toContain(`### ${section}\n`);
    expect(conditions, file).toHaveLength(1);
  }
});

it('the alert on Cloud KMS errors has the same threshold and wait in Prometheus and in Cloud Monitoring', async () => {
  const { expr, for: wait } = (await alerts()).find(({ alert }) => alert === 'CloudKmsErrorRate')!;
  const [{ conditionThreshold }] = JSON.parse(await read('google/kms-errors.policy.json')).conditions;
  const [, threshold] = /> ([\d.]+)\s*$/.exec(expr) ?? [];
  expect({ threshold: Number(threshold), wait }).toEqual({
    threshold: conditionThreshold.thresholdValue,
    wait: `${Number.parseInt(conditionThreshold.duration, 10) / 60}m`,
  });
});
