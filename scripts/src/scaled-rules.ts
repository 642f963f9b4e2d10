import { parse } from 'yaml';

interface Rule {
  readonly expr: string;
  readonly record?: string;
  readonly alert?: string;
  readonly for?: string;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Divides the durations in Prometheus rules by a factor (`for`, the ranges of expressions, and `offset`), so
 * that tests see alerts that would otherwise take minutes or a week to fire. Thresholds, and alerts without
 * `for`, do not change.
 *
 * @param yaml the file with the rules
 * @returns JSON, of which YAML is a superset
 */
export function scaleRules(yaml: string, factor: number): string {
  const { groups }: { groups: { name: string; rules: Rule[] }[] } = parse(yaml);
  const scaled = (text: string): string =>
    text.replaceAll(/(?<=\[|\boffset )(\d+)([smhd])/g, (_, count: string, unit: string) =>
      shorter(count, unit, factor),
    );
  return JSON.stringify({
    // Leaves out `interval`, because it would be longer than the durations.
    groups: groups.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => {
        if (rule.for === undefined && rule.record === undefined) return rule;
        const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(rule.for ?? '') ?? [];
        return { ...rule, expr: scaled(rule.expr), ...(rule.for && { for: shorter(count, unit, factor) }) };
      }),
    })),
  });
}

const shorter = (count: string, unit: string, factor: number): string =>
  `${Math.round((Number(count) * (unitSeconds[unit] ?? Number.NaN) * 1_000) / factor)}ms`;
