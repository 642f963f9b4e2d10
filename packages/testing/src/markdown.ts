/**
 * Returns the fenced code blocks of Markdown text, with the info strings that follow the opening fences.
 */
export const codeBlocks = (markdown: string): { readonly info: string; readonly code: string }[] =>
  [...markdown.matchAll(/^```(\S.*)\n([^]*?)^```$/gm)].map(([, info = '', code = '']) => ({ info, code }));

/**
 * Returns the body rows of the first table whose header begins with these cells. Removes backticks that
 * enclose a whole cell.
 *
 * @throws Error if there is no such table
 */
export function tableRows(markdown: string, ...header: readonly string[]): string[][] {
  const rows = markdown.split('\n').map(cellsOf);
  const start = rows.findIndex((row) => header.every((cell, index) => row[index] === cell));
  if (start < 0) throw new Error(`No table has a header that begins with ${header.join(', ')}.`);
  const body = rows.slice(start + 2);
  const end = body.findIndex((row) => row.length === 0);
  return end < 0 ? body : body.slice(0, end);
}

/** Returns the same rows as `tableRows`, but each row is an object whose keys are the header's cells. */
export function tableRecords(markdown: string, ...header: readonly string[]): Record<string, string>[] {
  const names = markdown
    .split('\n')
    .map(cellsOf)
    .find((row) => header.every((cell, index) => row[index] === cell));
  return tableRows(markdown, ...header).map((row) =>
    Object.fromEntries((names ?? []).map((name, index) => [name, row[index] ?? ''])),
  );
}

const cellsOf = (line: string): string[] =>
  line.startsWith('|')
    ? line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'))
    : [];
