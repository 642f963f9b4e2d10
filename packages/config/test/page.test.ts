import { expect, it } from 'vitest';
import { codecServerEnvironment, keyAdminEnvironment, workerEnvironment } from '../src/index.ts';
import type { Variable } from '../src/environment.ts';

const apps = {
  '`codec-server`': codecServerEnvironment,
  '`worker`': workerEnvironment,
  '`temporal-kms`': keyAdminEnvironment,
};

/** Returns a table as oxfmt formats it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill = ' ') =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
  const rule = line(
    head.map(() => ''),
    '-',
  );
  return [line(head), rule, ...rows.map((row) => line(row))].join('\n');
}

function rowOf([name, { about, default: fallback, example }]: readonly [string, Variable]): string[] {
  return [`\`${name}\``, about, fallback === undefined ? '' : `\`${fallback}\``, `\`${example}\``];
}

/** Returns docs/configuration.md: a table for each set of programs that read the same variables. */
function page(): string {
  const groups = new Map<string, (readonly [string, Variable])[]>();
  const all = new Map(Object.values(apps).flatMap(({ variables }) => Object.entries(variables)));
  for (const entry of all) {
    const readers = Object.entries(apps).filter(([, { variables }]) => entry[0] in variables);
    const title = readers.map(([app]) => app).join(', ');
    groups.set(title, [...(groups.get(title) ?? []), entry]);
  }
  const sections = [...groups].map(
    ([title, entries]) =>
      `## ${title}\n\n${table(['variable', 'meaning', 'default', 'example'], entries.map(rowOf))}\n`,
  );
  return [
    '# Environment variables\n',
    'All variables that the programs read, from the definitions in `packages/config`, which `--help` prints too. An empty ' +
      'variable counts as unset. A program that finds a mistake names every mistake and exits with 78; it warns of ' +
      'variables that are probably misspelt. [Cloud KMS](gcp-kms.md#configure), ' +
      "[the codec server](../apps/codec-server/README.md), [the worker](../apps/worker/README.md) and [Temporal's own " +
      'variables](../apps/worker/README.md#connect-to-temporal) explain them in context.\n',
    ...sections,
  ].join('\n');
}

it('keeps docs/configuration.md current (vitest -u writes it)', async () => {
  await expect(page()).toMatchFileSnapshot('../../../docs/configuration.md');
});
