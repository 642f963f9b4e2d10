import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const content = readFileSync(
  fileURLToPath(new URL('../../../../../docs/access.md', import.meta.url)),
  'utf8',
);

/** The example of docs/access.md. */
export function examplePolicy(): string {
  const example = /```yaml\n([^]*?)```/.exec(content)?.[1];
  if (example === undefined) throw new Error('docs/access.md has no example');
  return example;
}

/** Rows of the table whose first column is headed so, each by its columns' heads. */
export function tableOf(...heads: string[]): Record<string, string>[] {
  const lines = content.split('\n');
  const start = lines.findIndex((line) => heads.every((head, index) => cells(line)[index] === head));
  if (start < 0) throw new Error(`docs/access.md has no table with ${heads.join(', ')}`);
  const names = cells(lines[start]!);
  const rows: Record<string, string>[] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    const values = cells(line);
    rows.push(Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])));
  }
  return rows;
}

const cells = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
