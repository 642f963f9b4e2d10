import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { projectRoot } from '../src/project.ts';

const { stdout } = await execa('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: projectRoot,
});
const pages = stdout.split('\n').filter((file) => existsSync(join(projectRoot, file)));
const withoutCode = (markdown: string) => markdown.replaceAll(/^ *```[^]*?^ *```$/gm, '');
const texts = new Map(
  await Promise.all(
    pages.map(async (file) => [file, withoutCode(await readFile(join(projectRoot, file), 'utf8'))] as const),
  ),
);

/** Returns a page's anchors, as GitHub derives them from headings. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );

function isBroken(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : join(dirname(file), path);
  if (!existsSync(join(projectRoot, target))) return true;
  const page = texts.get(target);
  return anchor !== undefined && page !== undefined && !anchorsOf(page).includes(anchor);
}

it.each([...texts])('%s links only to files and headings that exist', (file, text) => {
  const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => isBroken(file, link));
  expect(broken).toEqual([]);
});

it('the answers for the OpenSSF badge name only files and headings that exist', async () => {
  const answers = await readFile(join(projectRoot, '.bestpractices.json'), 'utf8');
  const named = answers.match(/[\w./-]+\.(?:md|ts|json|toml|ya?ml)\b(?:#[\w-]+)?/g) ?? [];
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((link) => isBroken('.bestpractices.json', link))).toEqual([]);
});

it('code, deployments and alerts link only to pages and headings that exist', async () => {
  const { stdout: found } = await execa(
    'git',
    ['grep', '-IohE', String.raw`docs/[a-z/-]+\.md(#[a-z-]+)?`, '--', ':!*.md', ':!pnpm-lock.yaml'],
    { cwd: projectRoot },
  );
  const broken = [...new Set(found.split('\n'))].filter((pointer) => {
    const [file = '', anchor] = pointer.split('#');
    const page = texts.get(file);
    return page === undefined || (anchor !== undefined && !anchorsOf(page).includes(anchor));
  });
  expect(broken).toEqual([]);
});
