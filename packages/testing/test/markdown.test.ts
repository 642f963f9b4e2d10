import { expect, it } from 'vitest';
import { codeBlocks, tableRecords, tableRows } from '../src/markdown.ts';

const text = `
| name | \`value\` |
| ---- | ------- |
| a    | \`1\` or \`2\` |
| \`b\` | |

\`\`\`ts title="a.ts"
const a = 1;
\`\`\`
`;

it('tableRows returns the rows of the table with the given header', () => {
  expect(tableRows(text, 'name')).toEqual([
    ['a', '`1` or `2`'],
    ['b', ''],
  ]);
  expect(tableRecords(text, 'name', 'value')[1]).toEqual({ name: 'b', value: '' });
});

it('tableRows throws an error that names the header if no table has it', () => {
  expect(() => tableRows(text, 'other')).toThrow('No table has a header that begins with other.');
});

it('codeBlocks returns code blocks with their info strings', () => {
  expect(codeBlocks(text)).toEqual([{ info: 'ts title="a.ts"', code: 'const a = 1;\n' }]);
});
