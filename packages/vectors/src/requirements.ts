import { readdirSync, readFileSync } from 'node:fs';
import { branchKeyEntryVectors, keysFileVectors, messageFiles, root, strictYamlVectors } from './files.ts';

/*
 * Finds the vectors and tests that prove the requirements of docs/wire-formats.md. A test cites requirements
 * in a comment on the line above the test: `// [C-1] [C-2]` or, in Python, `# [C-1]`.
 */

const projectRoot = new URL('../../', root);

/** Returns a file of this repository as text. @param path relative to the repository */
const textOf = (path: string): string => readFileSync(new URL(path, projectRoot), 'utf8');

export interface Requirement {
  readonly id: string;
  readonly text: string;
}

/**
 * Returns the requirements in a specification. A requirement is a top-level list item that begins with an
 * id, such as `- [F-1]`.
 */
export const requirementsIn = (page: string): Requirement[] =>
  [...page.matchAll(/^- \[([A-Z]-\d+)\] (.+)$/gm)].map(([, id = '', text = '']) => ({ id, text }));

export const specification = textOf('docs/wire-formats.md');

export const requirements = requirementsIn(specification);

/** A vector or test that proves a requirement. */
export interface Proof {
  readonly file: string;
  readonly name: string;
  /** The reason code that a vector expects. */
  readonly code?: string | undefined;
  readonly requirements: readonly string[];
}

/** Returns the tests in a file that cite requirements. @throws Error if a citation is not above a test */
export const testsIn = (file: string, source: string): Proof[] =>
  [...source.matchAll(/^ *(?:\/\/|#) ((?:\[[A-Z]-\d+\] ?)+)\n/gm)].map((citation) => {
    const test = source.slice(citation.index + citation[0].length);
    const [, , title] = /^ *(?:it|describe)\b[^]*?\(\s*(['"`])(.+?)\1,\s*(?:async )?\(/.exec(test) ?? [];
    const name = title ?? /^ *(?:(?:async )?def|func) ((?:test_|Test)\w+)/.exec(test)?.[1];
    if (name === undefined) throw new Error(`${file}: no test follows ${citation[1]}`);
    return { file, name, requirements: [...citation[0].matchAll(/[A-Z]-\d+/g)].map(([id]) => id) };
  });

const testFiles = ['packages/kms-codec/test/', 'interop/python/tests/', 'interop/go/reader/'].flatMap(
  (folder) =>
    readdirSync(new URL(folder, projectRoot), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.test\.ts$|(^|\/)test_\w+\.py$|_test\.go$/.test(path))
      .map((path) => folder + path),
);

export const proofs: readonly Proof[] = [
  ...messageFiles.flatMap(({ file, vectors }) =>
    vectors.map(({ expect, ...vector }) => ({
      ...vector,
      file: `packages/vectors/messages/${file}`,
      code: 'code' in expect ? expect.code : undefined,
    })),
  ),
  ...Object.entries({
    'keys-file': keysFileVectors,
    'strict-yaml': strictYamlVectors,
    'branch-key-entries': branchKeyEntryVectors,
  }).flatMap(([file, vectors]) =>
    vectors.map((vector) => ({ ...vector, file: `packages/vectors/files/${file}.json` })),
  ),
  ...testFiles.flatMap((file) => testsIn(file, textOf(file))),
];
