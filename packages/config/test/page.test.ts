import { expect, it } from 'vitest';
import { codecServerEnvironment, keyAdminEnvironment, workerEnvironment } from '../src/index.ts';
import type { Variable } from '../src/environment.ts';

const apps = {
  '`codec-server`': codecServerEnvironment,
  '`worker`': workerEnvironment,
  '`temporal-kms`': keyAdminEnvironment,
};

function itemOf([name, { about, default: fallback, example }]: readonly [string, Variable]): string {
  const value = example === fallback || example === '(unset)' ? '' : `=${example}`;
  const usual = fallback === undefined ? '' : ` (\`${fallback}\`)`;
  return `- \`${name}${value}\`${usual}: ${about}`;
}

/**
 * Returns the text of docs/configuration.md, with one list for each set of programs that read the same
 * variables.
 */
function page(): string {
  const groups = new Map<string, (readonly [string, Variable])[]>();
  const all = new Map(Object.values(apps).flatMap(({ variables }) => Object.entries(variables)));
  for (const entry of all) {
    const readers = Object.entries(apps).filter(([, { variables }]) => entry[0] in variables);
    const title = readers.map(([app]) => app).join(', ');
    groups.set(title, [...(groups.get(title) ?? []), entry]);
  }
  const sections = [...groups].map(
    ([title, entries]) => `## ${title}\n\n${entries.map(itemOf).join('\n')}\n`,
  );
  return [
    '# Environment variables\n',
    'This page lists every variable with an example, and with its default in brackets. An empty variable counts as ' +
      'unset. If a variable has a mistake, the program exits with 78 and names every mistake. It warns about ' +
      "variables that are probably misspelt. See also [Temporal's own " +
      'variables](../apps/worker/README.md#connect-to-temporal).\n',
    ...sections,
  ].join('\n');
}

it('keeps docs/configuration.md current (vitest -u writes it)', async () => {
  await expect(page()).toMatchFileSnapshot('../../../docs/configuration.md');
});
