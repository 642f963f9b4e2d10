/**
 * Prints the vectors and tests that prove the requirements of docs/wire-formats.md:
 * `node packages/vectors/proofs.ts [ID...]`. Without ids, prints the number of proofs for each requirement.
 */
import { proofs, requirements } from './src/requirements.ts';

const ids = process.argv.slice(2);
const lines = requirements.flatMap(({ id, text }) => {
  const found = proofs.filter((proof) => proof.requirements.includes(id));
  if (ids.length === 0) return `${id}\t${found.length}\t${text.slice(0, 80)}`;
  if (!ids.includes(id)) return [];
  return [
    `[${id}] ${text}`,
    ...found.map(({ file, name, code }) => `  ${file}: ${name}${code ? ` (${code})` : ''}`),
  ];
});
process.stdout.write(`${lines.join('\n')}\n`);
