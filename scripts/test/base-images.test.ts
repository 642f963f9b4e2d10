import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unpinnedImages, withoutDigests } from '../src/images/base-images.ts';
import { projectRoot } from '../src/project.ts';

const read = (file: string) => readFile(join(projectRoot, file), 'utf8');
const digest = `sha256:${'0'.repeat(64)}`;
const pinned = `FROM node:24@${digest} AS built\nFROM built\nFROM scratch\nCOPY --from=built /a /b\nCOPY --from=0 /a /b\n`;

it('unpinnedImages accepts stages, and images with a tag and a digest', () => {
  expect(unpinnedImages(pinned)).toEqual([]);
  expect(unpinnedImages('# FROM node:24\n')).toEqual([]);
});

it.each([
  ['FROM node:24', 'node:24'],
  ['from node:24 as x', 'node:24'],
  ['FROM --platform=$BUILDPLATFORM node:24 AS x', 'node:24'],
  ['FROM \\\n  node:24', 'node:24'],
  [`FROM node@${digest}`, `node@${digest}`],
  ['FROM node:24@sha256:0123', 'node:24@sha256:0123'],
  ['ARG BASE=node:24\nFROM $BASE', '$BASE'],
  ['COPY --from=caddy:2 /usr/bin/caddy /caddy', 'caddy:2'],
  ['COPY --chown=1:1 --from=caddy:2 /usr/bin/caddy /caddy', 'caddy:2'],
  ['RUN --mount=type=bind,from=caddy:2,target=/caddy true', 'caddy:2'],
])('unpinnedImages finds an image without a digest: %s', (line, image) => {
  expect(unpinnedImages(`${pinned}${line}\n`)).toEqual([image]);
});

it('every base image in the Dockerfile is pinned, and `pnpm images` makes substitutes under the same tags', async () => {
  const dockerfile = await read('deploy/docker/Dockerfile');
  expect(unpinnedImages(dockerfile)).toEqual([]);
  const made = await read('scripts/src/images/bases.ts');
  const tags = unpinnedImages(withoutDigests(dockerfile));
  expect(tags).toHaveLength(4);
  for (const tag of tags) expect(made).toContain(`${tag}'`);
});
