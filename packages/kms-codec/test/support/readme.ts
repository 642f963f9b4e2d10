import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The README's files: every fenced block that has a title, by it. */
export const readmeFiles: ReadonlyMap<string, string> = new Map(
  [...readme.matchAll(/^```\w+ title="([^"]+)"\n(.*?)^```$/gms)].map(([, title = '', text = '']) => [
    title,
    text,
  ]),
);

/** The cells of each row of the table whose header begins with these cells. */
export function readmeTable(...header: readonly string[]): string[][] {
  const rows = readme.split('\n').map((line) => cells(line));
  const start = rows.findIndex((row) => header.every((cell, index) => row[index] === cell));
  if (start < 0) throw new Error(`The README has no table with the header ${header.join(', ')}`);
  const body = rows.slice(start + 2);
  return body.slice(
    0,
    body.findIndex((row) => row.length === 0),
  );
}

const cells = (line: string): string[] =>
  line.startsWith('|')
    ? line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim())
    : [];
