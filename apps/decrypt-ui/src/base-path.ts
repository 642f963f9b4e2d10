/**
 * Path of the folder that contains `index.html`, with a trailing slash: `/` or `/tools/kms/`. Derived from this script's
 * address (in `assets/`, or in `src/` during development), so that a build works in every folder.
 */
export const basePath = new URL(/* @vite-ignore */ '..', import.meta.url).pathname;
