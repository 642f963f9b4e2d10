import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

/** Changes the settings of webpack so that the bundle is reproducible. */
type Hook = <T extends { output?: object }>(config: T) => T & { devtool: string };

// The file that Temporal generates contains an absolute path. The columns in the source map would therefore
// depend on the length of the path, and the hash in the default file name would depend on the path.
const webpackConfigHook: Hook = (config) => ({
  ...config,
  devtool: 'inline-cheap-module-source-map',
  output: { ...config.output, filename: 'workflow-bundle.js' },
});

/**
 * Writes the workflow bundle into a folder. The bundle's source map names files relative to the project's
 * root, so that the bundle is the same wherever it is built.
 * @param bundle calls Temporal's `bundleWorkflowCode` with the hook that it receives
 */
export async function writeWorkflowBundle(
  folder: string,
  bundle: (webpackConfigHook: Hook) => Promise<{ readonly code: string }>,
): Promise<void> {
  const { code } = await bundle(webpackConfigHook);
  await writeFile(join(folder, 'workflow-bundle.js'), withRelativePaths(code, projectRoot));
}

/**
 * Makes the paths in a bundle's source map relative to `root`. Changes only paths that begin with `root`: the
 * images are built in `/src`, which also occurs inside paths.
 */
export const withRelativePaths = (code: string, root: string): string =>
  code.replace(/(?<=;base64,)\S+$/, (map) => {
    const text = Buffer.from(map, 'base64').toString();
    const relative = text.replaceAll(`"${root}/`, '"').replaceAll(`|${root}/`, '|');
    return Buffer.from(relative).toString('base64');
  });
