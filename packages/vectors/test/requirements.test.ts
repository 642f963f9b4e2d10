import { describe, expect, it } from 'vitest';
import { exampleIn, workedExample } from '../src/example.ts';
import { messageFiles, reasonCodes } from '../src/files.ts';
import { proofs, requirements, requirementsIn, specification, testsIn } from '../src/requirements.ts';

describe('the specification', () => {
  const ids = requirements.map(({ id }) => id);

  it('numbers its requirements per section, without gaps', () => {
    const letters = Map.groupBy(ids, (id) => id[0]);
    expect(letters.size).toBeGreaterThan(10);
    for (const [letter, group] of letters) expect(group).toEqual(group.map((_, n) => `${letter}-${n + 1}`));
  });

  it.each(requirements)('has a proof of $id', ({ id }) => {
    expect(proofs.filter((proof) => proof.requirements.includes(id))).not.toEqual([]);
  });

  it('contains every requirement that a vector or a test cites', () => {
    expect(proofs.filter((proof) => proof.requirements.some((id) => !ids.includes(id)))).toEqual([]);
  });

  it('refers only to requirements that it contains', () => {
    const cited = requirements.flatMap(({ text }) =>
      [...text.matchAll(/\[([A-Z]-\d+)\]/g)].map(([, id]) => id),
    );
    expect(cited.filter((id) => !ids.includes(id!))).toEqual([]);
  });

  it('shows the worked example with the values of its vector', () => {
    const vectors = messageFiles.flatMap((file) => file.vectors);
    expect(exampleIn(specification)).toBe(workedExample(vectors));
  });

  it('has a vector for each reason code that a requirement names, if vectors prove the requirement', () => {
    const missing = requirements.flatMap(({ id, text }) => {
      const codes = proofs.filter((proof) => proof.requirements.includes(id) && 'code' in proof);
      const named = [...text.matchAll(/`([a-z]+(?:_[a-z]+)+|malformed)`/g)].map(([, code]) => code);
      return codes.length === 0
        ? []
        : named.filter(
            (code) =>
              (reasonCodes.class[code!] ?? 'information') !== 'information' &&
              !codes.some((proof) => proof.code === code),
          );
    });
    expect(missing).toEqual([]);
  });
});

const cite = (line: string) => testsIn('a.test.ts', `// [C-1] [C-2]\n${line}\n`);

describe('a test’s citation', () => {
  it.each([
    ["it('holds', () => {", 'holds'],
    ["  it.each([1, 2])('holds %d', () => {", 'holds %d'],
    ["it.each([\n  ['a', 1],\n])(\n  'holds %s',\n  async (_, n) => {", 'holds %s'],
    ['async def test_holds() -> None:', 'test_holds'],
    ['func TestHolds(t *testing.T) {', 'TestHolds'],
  ])('refers to the test in the line %s', (line, name) => {
    expect(cite(line)).toEqual([{ file: 'a.test.ts', name, requirements: ['C-1', 'C-2'] }]);
  });

  it('is refused if no test follows', () => {
    expect(() => cite('const x = 1;')).toThrow('a.test.ts: no test follows');
  });
});

it('requirementsIn reads only top-level list items that begin with an id', () => {
  expect(requirementsIn('- [A-1] One.\n- Two.\n  - [A-2] Three.\n')).toEqual([{ id: 'A-1', text: 'One.' }]);
});
