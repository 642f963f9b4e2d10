/**
 * This script is part of `pnpm release:version`. After changesets has increased the version of the packages,
 * writes this version into every other file that contains it. All parts of a release share one version.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

const version = String.raw`\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?`;

/** The files that contain the release's version, with patterns for the text around it. */
export const versionedFiles: Readonly<Record<string, readonly RegExp[]>> = {
  'interop/python/pyproject.toml': [around('^version = "', '"$')],
  'deploy/helm/temporal-kms/Chart.yaml': [around('^version: ', '$'), around('^appVersion: ', '$')],
  'deploy/cloud-run/codec-server.yaml': [around('/temporal-kms/codec-server:', '$')],
  'deploy/cloud-run/dashboard.yaml': [around('/temporal-kms/dashboard:', '$')],
  'compose.yaml': [around(String.raw`\{TEMPORAL_KMS_VERSION:-`, String.raw`\}`)],
  'apps/worker/README.md': [around('^FROM temporal-kms/worker:', '$')],
  'docs/deploy.md': [around('temporal-kms/codec-server:', String.raw`(?=\s)`)],
  'docs/cli.md': [around('temporal-kms/key-admin:', String.raw`(?=\s)`)],
  'docs/getting-started.md': [
    around('temporal-kms-kms-codec-', String.raw`\.tgz`),
    around('temporal-kms-worker-kit-', String.raw`\.tgz`),
  ],
};

function around(before: string, after: string): RegExp {
  return new RegExp(`(?<=${before})${version}(?=${after})`, 'gm');
}

/**
 * Replaces the release's version throughout a file's text.
 * @throws Error if the text around a version is missing
 */
export function withVersion(file: string, text: string, to: string): string {
  let result = text;
  for (const place of versionedFiles[file] ?? []) {
    if (result.search(place) < 0) throw new Error(`${file} contains no version that matches ${place.source}`);
    result = result.replace(place, to);
  }
  return result;
}

export async function releaseVersion(): Promise<string> {
  const manifest: { version: string } = JSON.parse(
    await readFile(join(projectRoot, 'packages', 'kms-codec', 'package.json'), 'utf8'),
  );
  return manifest.version;
}

if (import.meta.main) {
  const to = await releaseVersion();
  for (const file of Object.keys(versionedFiles)) {
    const path = join(projectRoot, file);
    await writeFile(path, withVersion(file, await readFile(path, 'utf8'), to));
  }
  console.log(`Wrote ${to} into ${Object.keys(versionedFiles).length} files.`);
}
