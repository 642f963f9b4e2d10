/**
 * Returns JSON with one record per line, as in the files with recorded data and vectors. Each member of the
 * file's object, and each member of such a member, is on a separate line.
 */
export const recordLines = (file: object): string => `${spread(file, 2, '')}\n`;

function spread(value: unknown, levels: number, indent: string): string {
  const entries = levels > 0 && value !== null && typeof value === 'object' ? Object.entries(value) : [];
  if (entries.length === 0) return JSON.stringify(value);
  const list = Array.isArray(value);
  const inner = `${indent}  `;
  const lines = entries.map(
    ([key, member]) =>
      `${inner}${list ? '' : `${JSON.stringify(key)}: `}${spread(member, levels - 1, inner)}`,
  );
  const [open, close] = list ? ['[', ']'] : ['{', '}'];
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}
